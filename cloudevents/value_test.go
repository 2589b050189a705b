package cloudevents

import "testing"

func TestHeaderValues(t *testing.T) {
	tests := []struct{ value, header string }{
		{"", ""},
		{"order.created", "order.created"},
		{"Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"}, // the specification's own example
		{`a"b%c`, "a%22b%25c"},
		{"100%", "100%25"},
		{"%41", "%2541"},
		{"!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"},
		{"\t\r\n\x00\x7f", "%09%0D%0A%00%7F"},
	}
	for _, test := range tests {
		if got := encodeValue(test.value); got != test.header {
			t.Errorf("encodeValue(%q) = %q, want %q", test.value, got, test.header)
		}
		if got, err := decodeValue("ce-x", test.header); err != nil || got != test.value {
			t.Errorf("decodeValue(%q) = %q, %v, want %q", test.header, got, err, test.value)
		}
	}
}

func TestHeaderValuesOfOthers(t *testing.T) {
	tests := map[string]struct{ header, want string }{
		"a quoted string":                        {`"a b"`, "a b"},
		"quoted pairs":                           {`"a\"b\\c"`, `a"b\c`},
		"quoted and encoded":                     {`"%22x%22"`, `"x"`},
		"lower-case digits":                      {"%e2%82%ac", "€"},
		"only one round":                         {"%2541", "%41"},
		"raw UTF-8":                              {"€", "€"},
		"a percent sign that encodes nothing":    {"50% off", "50% off"},
		"a percent sign at the end":              {"50%", "50%"},
		"half an encoding at the end":            {"50%2", "50%2"},
		"one quote is no quoted string":          {`"`, `"`},
		"a quote inside is no quoted string":     {`a"b`, `a"b`},
		"an empty quoted string":                 {`""`, ""},
		"a lone backslash at the end of a quote": {`"a\"`, `a\`},
	}
	for name, test := range tests {
		if got, err := decodeValue("ce-x", test.header); err != nil || got != test.want {
			t.Errorf("%s: decodeValue(%q) = %q, %v, want %q", name, test.header, got, err, test.want)
		}
	}
}

func FuzzHeaderValue(f *testing.F) {
	for _, seed := range []string{"", "a b", `"`, "%", "€%20", "\xff", "%00", `"\`, "%E2%82"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if header := encodeValue(s); !isFieldText(header) {
			t.Fatalf("%q is written as %q, which no header may be", s, header)
		}
		value, err := decodeValue("ce-x", s)
		if err != nil {
			return
		}
		if again, err := decodeValue("ce-x", encodeValue(value)); err != nil || again != value {
			t.Fatalf("%q comes back as %q, %v", value, again, err)
		}
	})
}
