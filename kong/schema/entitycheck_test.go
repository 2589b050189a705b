package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg/kong/schema"
)

// tied is a config with a record whose fields are tied together, too.
type tied struct {
	A     string `kong:"a" doc:"The first of three."`
	B     string `kong:"b" doc:"The second of three."`
	C     int    `kong:"c" doc:"The third of three."`
	Login login  `kong:"login" doc:"Who it is."`
}

type login struct {
	Strategy string `kong:"strategy" doc:"How it is proved." one_of:"sasl,none"`
	User     string `kong:"user" doc:"The name to use."`
	Password string `kong:"password" doc:"Nobody may know."`
}

func (*tied) EntityChecks() []schema.EntityCheck {
	return []schema.EntityCheck{
		schema.AtLeastOneOf("a", "b"), schema.OnlyOneOf("a", "b"), schema.MutuallyExclusive("a", "c"), schema.Distinct("a", "b"),
		schema.IfAtLeastOneOf("a", schema.IsSet(), "b", "c"),
	}
}

func (login) EntityChecks() []schema.EntityCheck {
	return []schema.EntityCheck{
		schema.MutuallyRequired("user", "password"),
		schema.If("strategy", schema.Is("sasl"), "user", schema.IsSet()),
	}
}

func TestEntityChecksAreKongs(t *testing.T) {
	plugin, err := schema.Of("p", new(tied))
	if err != nil {
		t.Fatal(err)
	}
	document := decoded(plugin)
	if problems := metaSchema(document); len(problems) > 0 {
		t.Errorf("Kong would refuse it: %s", strings.Join(problems, "\n"))
	}
	config := document["fields"].([]any)[0].(map[string]any)["config"].(map[string]any)
	nested := config["fields"].([]any)[3].(map[string]any)["login"].(map[string]any)
	for _, test := range []struct {
		got  any
		want string
	}{
		{config["entity_checks"], `[{"at_least_one_of":["a","b"]},{"only_one_of":["a","b"]},{"mutually_exclusive":["a","c"]},{"distinct":["a","b"]},
			{"conditional_at_least_one_of":{"if_field":"a","if_match":{"required":true},"then_at_least_one_of":["b","c"]}}]`},
		{nested["entity_checks"], `[{"mutually_required":["user","password"]},
			{"conditional":{"if_field":"strategy","if_match":{"one_of":["sasl"],"required":true},"then_field":"user","then_match":{"required":true}}}]`},
	} {
		var want any
		if err := json.Unmarshal([]byte(test.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, test.got); diff != "" {
			t.Error(diff)
		}
	}
}

type misspelled struct {
	A string `kong:"a" doc:"The first of them."`
	B string `kong:"b" doc:"The second of them."`
}

func (*misspelled) EntityChecks() []schema.EntityCheck {
	return []schema.EntityCheck{schema.AtLeastOneOf("a", "bb"), schema.Distinct("a")}
}

func TestEntityChecksThatCanNeverHoldAreErrors(t *testing.T) {
	type outer struct {
		Records []misspelled `kong:"records" doc:"Some of those."`
	}
	for path, config := range map[string]any{"config: ": new(misspelled), "config.records: ": new(outer)} {
		_, err := schema.Of("p", config)
		if err == nil || !strings.Contains(err.Error(), path+`the entity check at_least_one_of of a, bb names no field "bb"`) || !strings.Contains(err.Error(), "ties no fields") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// refusing has a field of each kind that can be refused.
type refusing struct {
	Code []string          `kong:"code" doc:"Code of another language." refused:"is Lua: use transform"`
	More map[string]string `kong:"more" doc:"Code by its name." refused:"is Lua, too"`
	ID   string            `kong:"id,uuid" doc:"Names an entity." refused:"names an entity: use key"`
	Safe bool              `kong:"safe" default:"true" doc:"Whether it is safe." refused:"cannot be false"`
	Odd  bool              `kong:"odd" doc:"Whether it is odd." refused:"cannot be true"`
	Rest *login            `kong:"rest" doc:"A record of things." refused:"is not known"`
}

func TestRefusedFields(t *testing.T) {
	plugin, err := schema.Of("p", new(refusing))
	if err != nil {
		t.Fatal(err)
	}
	document := decoded(plugin)
	if problems := metaSchema(document); len(problems) > 0 {
		t.Errorf("Kong would refuse it: %s", strings.Join(problems, "\n"))
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"eq":null,"err":"names an entity: use key"`, `"err":"is Lua: use transform","len_max":0`, `"eq":null,"err":"is not known"`, `"err":"cannot be false","ne":false`, `"err":"cannot be true","ne":true`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %s", text, want)
		}
	}
	for _, unset := range []string{`{}`, `{"code":null,"more":null,"id":null,"rest":null}`, `{"code":[],"more":{}}`, `{"safe":true,"odd":false}`, `{"safe":null,"odd":null}`, `{"code":{},"more":[]}`} {
		if err := schema.Decode([]byte(unset), new(refusing)); err != nil {
			t.Errorf("%s: %v", unset, err)
		}
	}
	err = schema.Decode([]byte(`{"code":["x"],"more":{"a":"x"},"id":"7","rest":{"user":"x"},"safe":false,"odd":true}`), new(refusing))
	for _, want := range []string{"code is Lua: use transform", "more is Lua, too", "id names an entity: use key", "rest is not known", "safe cannot be false", "odd cannot be true"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestRefusalsThatKongWouldNotMakeAreErrors(t *testing.T) {
	for name, config := range map[string]any{
		"json": new(struct {
			A json.RawMessage `kong:"a" doc:"Something to set." refused:"no"`
		}),
		"a default": new(struct {
			A string `kong:"a" doc:"Something to set." default:"x" refused:"no"`
		}),
		"required": new(struct {
			A string `kong:"a,required" doc:"Something to set." refused:"no"`
		}),
	} {
		if _, err := schema.Of("p", config); err == nil || !strings.Contains(err.Error(), "config.a: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
