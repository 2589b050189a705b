package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg/kong/schema"
)

// secret stands for any type that hides what it holds.
type secret struct{ value string }

func (s *secret) UnmarshalText(text []byte) error { s.value = string(text); return nil }

type endpoint struct {
	Host string `kong:"host,required" doc:"Where it is found."`
	Port int    `kong:"port,required" doc:"The port there." between:"0,65535"`
}

type common struct {
	Timeout int `kong:"timeout" doc:"In milliseconds, of each attempt." default:"10000" gt:"0"`
}

// everything has a field of each kind.
type everything struct {
	common
	Mode     string            `kong:"mode,required" doc:"What is promised." default:"strict" one_of:"strict,lax"`
	Acks     int32             `kong:"acks" doc:"How many must answer." default:"1" one_of:"-1,0,1"`
	Ratio    float64           `kong:"ratio" doc:"A share of all." between:"0.5,1.5" default:"1"`
	On       bool              `kong:"on" doc:"Whether it happens." default:"false"`
	Verify   *bool             `kong:"verify" doc:"Whether it is checked."`
	Password secret            `kong:"password,referenceable,encrypted" doc:"Nobody may know."`
	ID       string            `kong:"id,uuid" doc:"Names an entity."`
	Pattern  string            `kong:"pattern,regex" doc:"What must match." len_min:"1" len_max:"100"`
	Path     string            `kong:"path" doc:"Begins with a slash." starts_with:"/" match:"^/[a-z]*$"`
	Topics   []string          `kong:"topics" doc:"One or more of them." len_min:"1" one_of:"a,b" default:"a,b"`
	Unique   []string          `kong:"unique,set" doc:"Each of them once." default:""`
	Keys     []secret          `kong:"keys,referenceable" doc:"All the secrets."`
	Labels   map[string]string `kong:"labels" doc:"Names and values." default:""`
	Servers  []endpoint        `kong:"servers,required" doc:"At least one of them." len_min:"1"`
	TLS      *endpoint         `kong:"tls" doc:"Where it is secure."`
	Routes   json.RawMessage   `kong:"routes" doc:"What goes where."`
	Internal string            // not Kong's
}

func (*everything) JSONSchemas() map[string]any {
	return map[string]any{"routes": map[string]any{
		"$schema": "http://json-schema.org/draft-04/schema#", "type": "array", "items": map[string]any{"type": "object"},
	}}
}

func (*everything) EntityChecks() []schema.EntityCheck {
	return []schema.EntityCheck{schema.AtLeastOneOf("topics", "routes")}
}

func TestEveryKindOfFieldIsKongs(t *testing.T) {
	plugin, err := schema.Of("p", new(everything))
	if err != nil {
		t.Fatal(err)
	}
	if problems := metaSchema(decoded(plugin)); len(problems) > 0 {
		t.Errorf("Kong would refuse it: %s", strings.Join(problems, "\n"))
	}
	config := decoded(plugin)["fields"].([]any)[0].(map[string]any)["config"].(map[string]any)
	got := make(map[string]any)
	for _, entry := range config["fields"].([]any) {
		for name, field := range entry.(map[string]any) {
			delete(field.(map[string]any), "description")
			got[name] = field
		}
	}
	want := make(map[string]any)
	for name, text := range map[string]string{
		"timeout":  `{"type":"integer","default":10000,"gt":0}`,
		"mode":     `{"type":"string","required":true,"default":"strict","one_of":["strict","lax"]}`,
		"acks":     `{"type":"integer","default":1,"one_of":[-1,0,1]}`,
		"ratio":    `{"type":"number","default":1,"between":[0.5,1.5]}`,
		"on":       `{"type":"boolean","default":false}`,
		"verify":   `{"type":"boolean"}`,
		"password": `{"type":"string","referenceable":true,"encrypted":true}`,
		"id":       `{"type":"string","uuid":true}`,
		"pattern":  `{"type":"string","is_regex":true,"len_min":1,"len_max":100}`,
		"path":     `{"type":"string","starts_with":"/","match":"^/[a-z]*$"}`,
		"topics":   `{"type":"array","elements":{"type":"string","one_of":["a","b"]},"len_min":1,"default":["a","b"]}`,
		"unique":   `{"type":"set","elements":{"type":"string"},"default":[]}`,
		"keys":     `{"type":"array","elements":{"type":"string","referenceable":true}}`,
		"labels":   `{"type":"map","keys":{"type":"string"},"values":{"type":"string"},"default":{}}`,
		"servers": `{"type":"array","required":true,"len_min":1,"elements":{"type":"record","fields":[
			{"host":{"type":"string","required":true,"description":"Where it is found."}},
			{"port":{"type":"integer","required":true,"between":[0,65535],"description":"The port there."}}]}}`,
		"tls": `{"type":"record","fields":[
			{"host":{"type":"string","required":true,"description":"Where it is found."}},
			{"port":{"type":"integer","required":true,"between":[0,65535],"description":"The port there."}}]}`,
		"routes": `{"type":"json","json_schema":{"inline":{"$schema":"http://json-schema.org/draft-04/schema#","type":"array","items":{"type":"object"}}}}`,
	} {
		var field any
		if err := json.Unmarshal([]byte(text), &field); err != nil {
			t.Fatal(err)
		}
		want[name] = field
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{map[string]any{"at_least_one_of": []any{"topics", "routes"}}}, config["entity_checks"]); diff != "" {
		t.Error(diff)
	}
}

func TestAnUnlistedFieldIsReadAndNotPartOfTheSchema(t *testing.T) {
	type config struct {
		ID   string `kong:"__plugin_id,unlisted"`
		Name string `kong:"name" doc:"A field that Kong is told of."`
	}
	p, err := schema.Of("p", &config{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil || strings.Contains(string(text), "plugin_id") || !strings.Contains(string(text), `"name"`) {
		t.Errorf("%s, %v", text, err)
	}
	var c config
	if err := schema.Decode([]byte(`{"__plugin_id":"7","name":"n"}`), &c); err != nil || c.ID != "7" || c.Name != "n" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFieldsKeepTheirOrder(t *testing.T) {
	plugin, err := schema.Of("p", new(struct {
		B string `kong:"b" doc:"The first of two."`
		A string `kong:"a" doc:"The second of two."`
	}))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plugin)
	if err != nil || strings.Index(string(text), `"b"`) > strings.Index(string(text), `"a"`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestConfigsThatKongWouldRefuseAreErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		config any
		want   string
	}{
		{"no struct", new(string), "pointer to a struct"},
		{"no pointer", endpoint{}, "pointer to a struct"},
		{"nothing", nil, "pointer to a struct"},
		{"no description", new(struct {
			A string `kong:"a"`
		}), "config.a: the tag doc has 0 bytes"},
		{"a short description", new(struct {
			A string `kong:"a" doc:"too short"`
		}), "9 bytes"},
		{"an unknown flag", new(struct {
			A string `kong:"a,requird" doc:"Something to set."`
		}), `unknown flag "requird"`},
		{"a type that Kong has not", new(struct {
			A chan int `kong:"a" doc:"Something to set."`
		}), "no type for Go's chan int"},
		{"a map without names", new(struct {
			A map[int]string `kong:"a" doc:"Something to set."`
		}), "no type for Go's map[int]string"},
		{"json without a schema", new(struct {
			A json.RawMessage `kong:"a" doc:"Something to set."`
		}), "JSONSchemer"},
		{"between on a string", new(struct {
			A string `kong:"a" doc:"Something to set." between:"1,2"`
		}), "a field of type string cannot have between"},
		{"between of words", new(struct {
			A int `kong:"a" doc:"Something to set." between:"one,two"`
		}), `"one" is no number`},
		{"uuid on a number", new(struct {
			A int `kong:"a,uuid" doc:"Something to set."`
		}), "cannot have uuid"},
		{"one_of on a boolean", new(struct {
			A bool `kong:"a" doc:"Something to set." one_of:"true"`
		}), "cannot have one_of"},
		{"a default of the wrong type", new(struct {
			A int `kong:"a" doc:"Something to set." default:"many"`
		}), `"many" is no whole number`},
		{"a default outside one_of", new(struct {
			A string `kong:"a" doc:"Something to set." one_of:"x,y" default:"z"`
		}), "not among one_of"},
		{"a default outside between", new(struct {
			A int `kong:"a" doc:"Something to set." between:"1,5" default:"9"`
		}), "not between"},
		{"a set of no list", new(struct {
			A string `kong:"a,set" doc:"Something to set."`
		}), "only a list is a set"},
		{"a length that is none", new(struct {
			A string `kong:"a" doc:"Something to set." len_min:"long"`
		}), "len_min is no whole number"},
		{"a fault inside", new(struct {
			A []struct {
				B string `kong:"b"`
			} `kong:"a" doc:"Something to set."`
		}), "config.a.b: the tag doc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := schema.Of("p", test.config); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestADialectThatKongDoesNotKnowIsAnError(t *testing.T) {
	_, err := schema.Of("p", new(modern))
	if err == nil || !strings.Contains(err.Error(), "draft-04") {
		t.Errorf("got %v", err)
	}
}

type modern struct {
	A json.RawMessage `kong:"a" doc:"Something to set."`
}

func (*modern) JSONSchemas() map[string]any {
	return map[string]any{"a": map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema"}}
}
