package router

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kong/keg"
)

const hidden = "Tr0ub4dor&3"

// secretive gives the variables and files of these tests.
func secretive() Options {
	return Options{
		Types: known,
		LookupEnv: func(name string) (string, bool) {
			v, ok := map[string]string{
				"SECRET": hidden, "URL": "http://user:" + hidden + "@h:x", "TYPE": "order.created", "N": "5", "KIND": "kafka", "EMPTY": "",
				"LINES": hidden + "\r\nx: y",
			}[name]
			return v, ok
		},
		ReadFile: func(path string) ([]byte, error) {
			if path == "/secret" {
				return []byte("\n  " + hidden + " \n"), nil
			}
			return nil, errors.New("open " + path + ": no such file")
		},
	}
}

func TestFilledInValues(t *testing.T) {
	table, err := Parse("f.yaml", []byte(`
routes:
- name: a-${N}
  match: {type: "${TYPE}", data.n: {gte: "${N}", lte: "${NOPE:-5}"}, data.secret: {file: /secret}, subject: [x, {prefix: {file: "/sec${EMPTY}ret"}}]}
  destinations:
  - {type: "${KIND}", address: "${TYPE}:1,b:2", topic: "$${literal}-${N}$", password: {file: /secret}, max_message_bytes: "${N}", timeout: "${N}s", headers: {x: "${SECRET}"}}
`), secretive())
	if err != nil {
		t.Fatal(err)
	}
	r := table.Routes()[0]
	s := r.Destinations[0].Settings.(*stream)
	switch {
	case r.Name != "a-5", s.Topic != "${literal}-5$", s.Password.Reveal() != hidden, s.Largest != 5, r.Destinations[0].Timeout.String() != "5s",
		r.Destinations[0].Headers["x"].Reveal() != hidden, s.Address[0] != "order.created:1":
		t.Errorf("got %q %+v %+v", r.Name, s, r.Destinations[0])
	}
	e := &keg.Event{Type: "order.created", Subject: hidden + "!", Data: []byte(`{"n": 5, "secret": "` + hidden + `"}`)}
	if len(table.Match(e, nil)) != 1 {
		t.Errorf("not taken: %v", table.Explain(e))
	}
}

func TestWrongReferences(t *testing.T) {
	for text, want := range map[string]string{
		`"${NOPE}"`:       "the environment variable NOPE is not set; set it, or write ${NOPE:-default}",
		`"${}"`:           "${ begins a variable's name, such as ${KAFKA_PASSWORD}; write $${ for a literal ${",
		`"a ${x"`:         "${ begins a variable's name, such as ${KAFKA_PASSWORD}; write $${ for a literal ${",
		`"${a-b}"`:        "${ begins a variable's name, such as ${KAFKA_PASSWORD}; write $${ for a literal ${",
		`{file: /nope}`:   "cannot be read: open /nope: no such file",
		`{file: [a]}`:     "must be a path, not a list",
		`{file: a, x: b}`: "must be a string, or {file: path}; not another mapping",
		`{path: a}`:       "must be a string, or {file: path}; not another mapping",
		`"${EMPTY}"`:      "must not be empty",
	} {
		_, err := Parse("f.yaml", []byte("routes: [{name: a, match: {}, destinations: [{type: kafka, address: a:1, topic: "+text+"}]}]"), secretive())
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v\nwant %s", text, err, want)
		}
	}
}

// TestNothingFilledInIsShown breaks a table at every place with a secret, and
// looks for the secret in what is said about it.
func TestNothingFilledInIsShown(t *testing.T) {
	match := func(m string) string {
		return "routes: [{name: a, match: " + m + ", destinations: [{type: http, address: a}]}]"
	}
	destination := func(d string) string {
		return "routes: [{name: a, match: {}, destinations: [{" + d + "}]}]"
	}
	for _, text := range []string{
		destination(`type: "${SECRET}", address: a`),
		destination(`type: {file: /secret}, address: a`),
		destination(`type: kafka, address: "${SECRET}", topic: t`),
		destination(`type: kafka, address: "x,${URL}", topic: t`),
		destination(`type: kafka, address: ["${SECRET}"], topic: t`),
		destination(`type: kafka, address: "a:1", topic: "x ${SECRET}"`),
		destination(`type: kafka, address: "a:1", topic: t, acks: "${SECRET}"`),
		destination(`type: kafka, address: "a:1", topic: t, acks: {file: /secret}`),
		destination(`type: kafka, address: "a:1", topic: t, timeout: "${SECRET}"`),
		destination(`type: kafka, address: "a:1", topic: t, max_message_bytes: "${SECRET}"`),
		destination(`type: http, address: a, rate: "${SECRET}"`),
		destination(`type: http, address: a, allow_private: "${SECRET}"`),
		destination(`type: http, address: a, format: "${SECRET}"`),
		destination(`type: http, address: a, headers: {x: "${LINES}"}`),
		destination(`type: http, address: a, name: "${LINES}"`),
		destination(`type: http, address: {file: "${SECRET}"}`),
		"{routes: [], unmatched: \"${SECRET}\"}",
		"routes: [{name: \"${LINES}\", match: {}, destinations: [{type: http, address: a}]}]",
		match(`{a: {gt: "${SECRET}"}}`),
		match(`{a: {cidr: "${SECRET}"}}`),
		match(`{a: {exists: "${SECRET}"}}`),
		match(`{a: {regex: "${SECRET}("}}`),
		match(`{time: "${SECRET}"}`),
		match(`{when: "${SECRET}"}`),
		match(`{when: "data.x == ${SECRET}"}`),
	} {
		for _, o := range []Options{secretive(), withSecrets()} {
			_, err := Parse("f.yaml", []byte(text), o)
			if err == nil {
				t.Errorf("%s: no error", text)
				continue
			}
			for _, part := range []string{hidden, "Tr0ub", "dor&3"} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), part) {
					t.Errorf("%s: shows the secret: %v", text, err)
				}
			}
		}
	}
}

// withSecrets gives the variables of secretive as secrets.
func withSecrets() Options {
	o := secretive()
	variables := o.LookupEnv
	o.Secrets = map[string]keg.Secret{}
	for _, name := range []string{"SECRET", "URL", "LINES"} {
		value, _ := variables(name)
		o.Secrets[name] = keg.NewSecret(value)
	}
	o.LookupEnv = func(string) (string, bool) { return "", false }
	return o
}

// A plugin's secrets come before the environment, which is there all the same.
func TestSecretsComeBeforeTheEnvironment(t *testing.T) {
	o := secretive()
	o.Secrets = map[string]keg.Secret{"TYPE": keg.NewSecret("from.secrets"), "OWN": keg.NewSecret(hidden)}
	const text = `[{name: "a-${N}", match: {type: "${TYPE}"}, destinations: [{type: kafka, address: "a:1", topic: t, password: "${OWN}"}]}]`
	table, err := ParseRoutes("f", []byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	r := table.Routes()[0]
	if s := r.Destinations[0].Settings.(*stream); s.Password.Reveal() != hidden || r.Name != "a-5" {
		t.Errorf("%+v", r)
	}
	if len(table.Match(&keg.Event{Type: "from.secrets"}, nil)) != 1 {
		t.Error("the environment came first")
	}
	_, err = ParseRoutes("f", []byte(strings.Replace(text, "OWN", "NOPE", 1)), o)
	if err == nil || !strings.Contains(err.Error(), "NOPE is neither among the secrets nor an environment variable; add it to secrets, or write ${NOPE:-default}") {
		t.Errorf("got %v", err)
	}
}

// The name of a destination stands in logs and in answers to strangers.
func TestANameThatIsMadeShowsNoMoreThanTheHostOfWhatWasFilledIn(t *testing.T) {
	for address, want := range map[string]string{
		"https://hooks.example/services/${SECRET}":            "https://hooks.example/services/***",
		"https://hooks.example/services/Tr0ub4dor&3/${SHORT}": "https://hooks.example/services/Tr0ub4dor&3/b1",
		"https://${HOST}/services/${SPACED}/x":                "https://hooks.example/services/***/x",
		"https://${HOST}":                                     "https://hooks.example",
		"https://hooks.example/${NOPE:-orders}":               "https://hooks.example/orders",
	} {
		o := secretive()
		o.LookupEnv = func(name string) (string, bool) {
			v, ok := map[string]string{"SECRET": hidden, "HOST": "hooks.example", "SHORT": "b1", "SPACED": "to ken"}[name]
			return v, ok
		}
		table, err := Parse("f.yaml", []byte("routes: [{name: a, match: {}, destinations: [{type: http, address: '"+address+"'}]}]"), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Routes()[0].Destinations[0].Name; got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestExplanationsShowReferencesAsWritten(t *testing.T) {
	table, err := Parse("f.yaml", []byte(`
routes:
- {name: a, match: {type: "${SECRET}"}, destinations: [{type: http, address: a}]}
- {name: b, match: {type: {file: /secret}}, destinations: [{type: http, address: a}]}
- {name: c, match: {type: [{prefix: "${SECRET}"}]}, destinations: [{type: http, address: a}]}
- {name: d, match: {when: 'type == "${SECRET}"'}, destinations: [{type: http, address: a}]}
`), secretive())
	if err != nil {
		t.Fatal(err)
	}
	verdicts := fmt.Sprintf("%+v", table.Explain(orderCreated()))
	if strings.Contains(verdicts, hidden) || strings.Count(verdicts, "${SECRET}") != 3 || !strings.Contains(verdicts, `{file: "/secret"}`) {
		t.Error(verdicts)
	}
}
