package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kong/keg/kong/schema"
)

func defaults() everything {
	return everything{
		common: common{Timeout: 10000}, Mode: "strict", Acks: 1, Ratio: 1,
		Topics: []string{"a", "b"}, Unique: []string{}, Labels: map[string]string{},
	}
}

var compareAll = cmp.Options{cmp.AllowUnexported(everything{}, common{}, secret{})}

func TestConfigsAreRead(t *testing.T) {
	yes := true
	for _, test := range []struct {
		name, config string
		want         func(*everything)
	}{
		{"nothing at all", ``, func(*everything) {}},
		{"an empty object", `{}`, func(*everything) {}},
		{"an empty object, as Lua may write it", `[]`, func(*everything) {}},
		{"null leaves the default", `{"mode":null,"timeout":null,"topics":null,"servers":null,"tls":null,"verify":null}`, func(*everything) {}},
		{"Kong's own keys are passed over", `{"__seq__":3,"__plugin_id":"x","__key__":"y","__ws_id":"z","route_id":"r","service_id":null,"consumer_id":null,"mode":"lax"}`,
			func(e *everything) { e.Mode = "lax" }},
		{"an empty list as Lua writes it", `{"topics":{},"unique":{},"servers":{}}`,
			func(e *everything) { e.Topics, e.Unique, e.Servers = []string{}, []string{}, []endpoint{} }},
		{"an empty map as Lua may write it", `{"labels":[ ]}`, func(e *everything) { e.Labels = map[string]string{} }},
		{"whole numbers in any spelling", `{"timeout":1e+3,"acks":-1.0,"ratio":1}`, func(e *everything) { e.Timeout, e.Acks = 1000, -1 }},
		{"the largest that Lua keeps exact", `{"timeout":9007199254740992}`, func(e *everything) { e.Timeout = 1 << 53 }},
		{"a secret", `{"password":"s3cret","keys":["a","b"]}`, func(e *everything) { e.Password, e.Keys = secret{"s3cret"}, []secret{{"a"}, {"b"}} }},
		{"false where true was meant", `{"on":true,"verify":true}`, func(e *everything) { e.On, e.Verify = true, &yes }},
		{"a record", `{"tls":{"host":"h","port":443}}`, func(e *everything) { e.TLS = &endpoint{"h", 443} }},
		{"a record that nobody has set", `{"tls":{}}`, func(*everything) {}},
		{"a record of nulls", `{"tls":{"host":null}}`, func(*everything) {}},
		{"a list of records", `{"servers":[{"host":"a","port":1},{"host":"b","port":2,"other":3}]}`,
			func(e *everything) { e.Servers = []endpoint{{"a", 1}, {"b", 2}} }},
		{"a map", `{"labels":{"a":"b"}}`, func(e *everything) { e.Labels = map[string]string{"a": "b"} }},
		{"JSON as it came", `{"routes": [ {"name":"r"} ] }`, func(e *everything) { e.Routes = json.RawMessage(`[ {"name":"r"} ]`) }},
		{"an escaped string", `{"mode":"\u00e9\n"}`, func(e *everything) { e.Mode = "é\n" }},
		{"of a field that comes twice, the last", `{"mode":"a","mode":"b"}`, func(e *everything) { e.Mode = "b" }},
		{"names in their own case only", `{"Mode":"lax"}`, func(*everything) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := defaults()
			test.want(&want)
			var got everything
			if err := schema.Decode([]byte(test.config), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, compareAll); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrongConfigsNameTheFieldAndNoValue(t *testing.T) {
	for _, test := range []struct{ name, config, want string }{
		{"no JSON", `{"mode":s3cret}`, "is no JSON document"},
		{"no object", `"s3cret"`, "config must be an object"},
		{"a number for a string", `{"mode":1}`, "mode must be a string"},
		{"a list for a secret", `{"password":["s3cret"]}`, "password must be a string"},
		{"a string for a number", `{"timeout":"s3cret"}`, "timeout must be a whole number"},
		{"a fraction", `{"timeout":1.5}`, "timeout must be a whole number"},
		{"too large for its type", `{"acks":9999999999}`, "acks must be a whole number of at most 32 bits"},
		{"too large for anything", `{"timeout":1e300}`, "timeout must be a whole number"},
		{"a string for a fraction", `{"ratio":"s3cret"}`, "ratio must be a number"},
		{"a number for a boolean", `{"on":1}`, "on must be true or false"},
		{"an object for a list", `{"topics":{"a":"s3cret"}}`, "topics must be a list"},
		{"a list for an object", `{"labels":["s3cret"]}`, "labels must be an object"},
		{"a list for a record", `{"tls":["s3cret"]}`, "tls must be an object"},
		{"inside a list of records", `{"servers":[{"port":1},{"port":"s3cret"}]}`, "servers[2].port must be a whole number"},
		{"inside a map", `{"labels":{"a":1}}`, "labels.a must be a string"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := schema.Decode([]byte(test.config), new(everything))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the value: %v", err)
			}
		})
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	err := schema.Decode([]byte(`{"mode":1,"on":1,"servers":[{"port":"x"}]}`), new(everything))
	for _, want := range []string{"mode must", "on must", "servers[1].port must"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q too", err, want)
		}
	}
}

func TestRecordsInListsHaveTheirDefaults(t *testing.T) {
	type inner struct {
		A int `kong:"a" doc:"Something to set." default:"7"`
		B int `kong:"b" doc:"Something to set."`
	}
	var got struct {
		List []inner          `kong:"list" doc:"Something to set."`
		Map  map[string]inner `kong:"map" doc:"Something to set."`
		Ptr  *inner           `kong:"ptr" doc:"Something to set."`
		Rec  inner            `kong:"rec" doc:"Something to set."`
	}
	if err := schema.Decode([]byte(`{"list":[{"b":1},{"a":2}],"map":{"x":{"b":3}},"ptr":{"b":4}}`), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]inner{{7, 1}, {2, 0}}, got.List, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if got.Map["x"] != (inner{7, 3}) || *got.Ptr != (inner{7, 4}) || got.Rec != (inner{7, 0}) {
		t.Errorf("%+v", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"mode":"lax","servers":[{"host":"a","port":1e0}],"tls":{},"labels":[],"routes":[1]}`))
	f.Add([]byte(`{"topics":{},"password":null}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		var got everything
		if err := schema.Decode(config, &got); err == nil && len(got.Routes) > 0 && !json.Valid(got.Routes) {
			t.Errorf("routes became %q", got.Routes)
		}
	})
}
