package declarative

import (
	"encoding/json"
	"fmt"
	"math"

	"gopkg.in/yaml.v3"
)

// YAML is the configuration as a declarative one, every entity with its id.
func (c *Config) YAML() ([]byte, error) {
	document := map[string]any{"_format_version": "3.0", "_transform": false}
	for _, k := range kinds {
		var list []any
		for _, e := range c.Entities(k) {
			list = append(list, whole(withoutNulls(e.Fields)))
		}
		if len(list) > 0 {
			document[k.Name] = list
		}
	}
	return yaml.Marshal(document)
}

// whole writes numbers without a fraction as people do.
func whole(value any) any {
	switch v := value.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case map[string]any:
		for key, item := range v {
			v[key] = whole(item)
		}
	case []any:
		for i, item := range v {
			v[i] = whole(item)
		}
	}
	return value
}

// Schema is the kind's schema as the Admin API shows it.
func (k *Kind) Schema() any {
	var schema struct {
		Fields       []any `json:"fields"`
		EntityChecks []any `json:"entity_checks"`
	}
	if err := json.Unmarshal([]byte(schemaTexts[k.Name]), &schema); err != nil {
		panic(fmt.Sprintf("declarative: a core schema is broken: %v", err)) // a constant
	}
	for _, link := range k.Links {
		schema.Fields = append(schema.Fields, map[string]any{link.Field: map[string]any{"type": "foreign", "reference": link.To}})
	}
	if k == plugins {
		schema.Fields = append(schema.Fields, map[string]any{"config": map[string]any{"type": "record", "abstract": true}})
	}
	if schema.EntityChecks == nil {
		schema.EntityChecks = []any{}
	}
	return schema
}

var schemaTexts = map[string]string{"services": serviceSchema, "routes": routeSchema, "consumers": consumerSchema, "plugins": pluginSchema}
