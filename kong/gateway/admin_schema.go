package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/kong/keg/kong/gateway/declarative"
)

// adminSchema is GET /schemas/KIND.
func (g *Gateway) adminSchema(name string) adminReply {
	k := declarative.KindOf(name)
	if k == nil {
		return noEntity(name)
	}
	return jsonReply(http.StatusOK, k.Schema())
}

func noEntity(name string) adminReply {
	return message(http.StatusNotFound, "No entity named '"+clean(name)+"'")
}

// adminPluginSchema is GET /schemas/plugins/NAME.
func (g *Gateway) adminPluginSchema(name string) adminReply {
	p := g.plugins[name]
	if p == nil {
		return message(http.StatusNotFound, "No plugin named '"+clean(name)+"'")
	}
	var schema struct {
		Fields       []map[string]map[string]any `json:"fields"`
		EntityChecks []any                       `json:"entity_checks"`
	}
	if err := json.Unmarshal(p.raw, &schema); err != nil {
		return g.errorReply(err)
	}
	for _, field := range schema.Fields {
		if config := field["config"]; config != nil {
			config["required"] = true // as Kong has it, whatever the plugin wrote
		}
	}
	if schema.EntityChecks == nil {
		schema.EntityChecks = []any{}
	}
	return jsonReply(http.StatusOK, schema)
}

// adminValidate is POST /schemas/KIND/validate: whether an entity is good by
// itself.
func (g *Gateway) adminValidate(r *http.Request, name string) adminReply {
	k := declarative.KindOf(name)
	if k == nil {
		return noEntity(name)
	}
	a, refused := readArguments(r)
	if refused != nil {
		return *refused
	}
	if err := g.loader.Check(k, a.record(g.loader, k, nil)); err != nil {
		return g.errorReply(err)
	}
	return message(http.StatusOK, "schema validation successful")
}
