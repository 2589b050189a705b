package declarative

import (
	"fmt"
	"slices"
)

// pointer is what one entity says of another, by name or id: "service: shop".
type pointer struct {
	kind  string // of the entity that points: "routes"
	from  *Entity
	field string // "service"
	to    string
	set   func(d *draft, to string) bool
}

// refer notes a reference of a top-level entity, to be set when all entities
// are known.
func (d *draft) refer(kind string, from *Entity, field string, value any, set func(*draft, string) bool) any {
	to := ""
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		to = v
	case map[string]any:
		if to = name(v["id"]); to == "" {
			to = name(v["name"])
		}
	}
	if to == "" {
		return "expected a string"
	}
	d.pending = append(d.pending, pointer{kind, from, field, to, set})
	return nil
}

// link sets the references, and then what needs them: the ids of plugins.
func (d *draft) link() map[string]any {
	problems := map[string]any{}
	for _, p := range d.pending {
		if p.set(d, p.to) {
			continue
		}
		of, _ := problems[p.kind].(map[string]any)
		if of == nil {
			of = map[string]any{}
			problems[p.kind] = of
		}
		key := p.from.Name
		if key == "" {
			key = p.from.ID
		}
		list, _ := of[key].([]any)
		of[key] = append(list, fmt.Sprintf("invalid reference '%s: %s' (no such entry in '%ss')", p.field, p.to, p.field))
	}
	for _, r := range d.config.Routes {
		r.Fields["service"] = foreign(r.Service != nil, func() string { return r.Service.ID })
	}
	seen := map[string]bool{}
	for i, p := range d.config.Plugins {
		d.stamp(p.Fields)
		route, service, consumer := "", "", ""
		p.Fields["route"] = foreign(p.Route != nil, func() string { route = p.Route.ID; return route })
		p.Fields["service"] = foreign(p.Service != nil, func() string { service = p.Service.ID; return service })
		p.Fields["consumer"] = foreign(p.Consumer != nil, func() string { consumer = p.Consumer.ID; return consumer })
		key := pluginID(p.Name, route, service, consumer)
		if p.ID == "" {
			p.ID = key
			p.Fields["id"] = key
		}
		if seen[key] {
			problems["plugins"] = append(asProblems(problems["plugins"], i),
				map[string]any{"name": fmt.Sprintf("uniqueness violation: plugin '%s' is already applied there", p.Name)})
		}
		seen[key] = true
	}
	return problems
}

func asProblems(value any, place int) []any {
	list, _ := value.([]any)
	for len(list) < place {
		list = append(list, nil)
	}
	return list
}

// foreign is a reference as the Admin API shows it.
func foreign(set bool, id func() string) any {
	if !set {
		return nil
	}
	return map[string]any{"id": id()}
}

// find returns the entity of that id or name, or nil.
func find[T interface{ entity() *Entity }](list []T, key string) T {
	i := slices.IndexFunc(list, func(e T) bool { return e.entity().ID == key || e.entity().Name == key })
	if i < 0 {
		var none T
		return none
	}
	return list[i]
}

func (e *Entity) entity() *Entity { return e }
