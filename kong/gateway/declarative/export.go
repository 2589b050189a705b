package declarative

import (
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"
)

// YAML is the configuration as a declarative one, every entity with its id.
func (c *Config) YAML() ([]byte, error) {
	document := map[string]any{"_format_version": "3.0", "_transform": false}
	for _, k := range kinds {
		var list []any
		for _, e := range c.Entities(k) {
			list = append(list, withoutNulls(e.Fields))
		}
		if len(list) > 0 {
			document[k.Name] = list
		}
	}
	return yaml.Marshal(document)
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
