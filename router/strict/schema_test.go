package strict

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func TestSchemaOf(t *testing.T) {
	type nested struct {
		Level int `keg:"level,required" min:"1"`
	}
	type some struct {
		Name   string            `keg:"name,required" doc:"A name."`
		Mode   string            `keg:"mode" enum:"fast,a.b"`
		Hosts  []string          `keg:"hosts,required,split"`
		Tags   []string          `keg:"tags,split"`
		Pair   []int             `keg:"pair,required"`
		Wait   time.Duration     `keg:"wait"`
		Secret keg.Secret        `keg:"secret"`
		Labels map[string]string `keg:"labels"`
		Nested *nested           `keg:"nested"`
		Raw    Raw               `keg:"raw" ref:"anything"`
		Must   Raw               `keg:"must,required" ref:"anything"`
	}
	const object = `{"properties":{"file":{"type":"string","minLength":1}},"required":["file"],"additionalProperties":false}`
	const file = `"allOf":[` + object + `]`
	const optional = `"type":["string","object","null"],` + file
	want := `{"type":"object","additionalProperties":false,"required":["name","hosts","pair","must"],"properties":{
		"name":{"type":["string","object"],"minLength":1,"description":"A name.",` + file + `},
		"mode":{` + optional + `,"pattern":"^(fast|a\\.b)$|[$][{]"},
		"hosts":{"type":["array","string","object"],"minLength":1,"minItems":1,"allOf":[{"items":{"type":["string","object"],` + file + `}},` + object + `]},
		"tags":{"type":["array","string","object","null"],"allOf":[{"items":{"type":["string","object"],` + file + `}},
			{"properties":{"file":{"type":"string","minLength":1}},"additionalProperties":false}]},
		"pair":{"type":"array","minItems":1,"items":{"type":["integer","string","object"],"pattern":"[$][{]",` + file + `}},
		"wait":{` + optional + `,"pattern":"^[+]?([0-9.]+(ns|us|µs|μs|ms|s|m|h))+$|^[+]?0$|[$][{]"},
		"secret":{` + optional + `},
		"labels":{"type":["object","null"],"additionalProperties":{"type":["string","object"],` + file + `}},
		"nested":{"type":["object","null"],"additionalProperties":false,"required":["level"],"properties":{
			"level":{"type":["integer","string","object"],"pattern":"[$][{]","minimum":1,"minLength":1,` + file + `}}},
		"raw":{"anyOf":[{"$ref":"#/definitions/anything"},{"type":"null"}]},
		"must":{"$ref":"#/definitions/anything"}
	}}`
	text, err := json.Marshal(SchemaOf(&some{}))
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}
