package declarative

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// Entities are all entities of a kind, in the order in which they came.
func (c *Config) Entities(k *Kind) []*Entity {
	switch k {
	case services:
		return entitiesOf(c.Services)
	case routes:
		return entitiesOf(c.Routes)
	case consumers:
		return entitiesOf(c.Consumers)
	default:
		return entitiesOf(c.Plugins)
	}
}

// Target is the id that an entity's field points to, or "".
func (e *Entity) Target(field string) string { return target(e, field) }

// Find returns the entity of that id or handle, or nil.
func (c *Config) Find(k *Kind, key string) *Entity {
	for _, e := range c.Entities(k) {
		if e.ID == key || key != "" && e.Fields[k.Handle] == key {
			return e
		}
	}
	return nil
}

// LookUp is Find for what a client names: its error says that nothing can be
// named so.
func (c *Config) LookUp(k *Kind, key string) (*Entity, error) { return c.lookUp(k, key) }

func (c *Config) lookUp(k *Kind, key string) (*Entity, error) {
	if !isID(key) {
		if problem := k.schema.member(k.Handle).check(key); problem != nil {
			return nil, invalidHandle(k, fmt.Sprint(problem))
		}
	}
	return c.Find(k, key), nil
}

// resolve finds the id that a link's value stands for: {"id": …}, or the same by
// a unique field. A problem that is wrong is one of what is there, others are
// ones of form.
func (c *Config) resolve(link Link, value any) (id string, problem any, wrong bool) {
	if value == nil {
		return "", nil, false
	}
	to := KindOf(link.To)
	record, ok := value.(map[string]any)
	if !ok {
		return "", "expected a record", false
	}
	if id, ok := record["id"]; ok && id != nil {
		if problem := to.schema.member("id").check(id); problem != nil {
			return "", map[string]any{"id": problem}, false
		}
		return name(id), nil, false
	}
	for _, field := range to.unique {
		v := name(record[field])
		if v == "" {
			continue
		}
		if problem := to.schema.member(field).check(v); problem != nil {
			return "", map[string]any{field: problem}, false
		}
		for _, e := range c.Entities(to) {
			if e.Fields[field] == v {
				return e.ID, nil, false
			}
		}
		return "", map[string]any{field: fmt.Sprintf("the foreign key cannot be resolved with '%s' for an existing '%s' entity",
			pretty(map[string]any{field: v}), to.Name)}, true
	}
	return "", map[string]any{"id": "missing primary key"}, false
}

// conflict is what is wrong with an entity among the others: what it points to
// is not there, or another one has what only one can have.
func (c *Config) conflict(k *Kind, filled map[string]any) error {
	for _, link := range k.Links {
		pointed, _ := filled[link.Field].(map[string]any)
		if pointed != nil && !slices.ContainsFunc(c.Entities(KindOf(link.To)), func(e *Entity) bool { return e.ID == pointed["id"] }) {
			return danglingLink(link, pointed)
		}
	}
	for _, e := range c.Entities(k) {
		if e.ID == filled["id"] {
			continue
		}
		for _, field := range k.unique {
			if filled[field] != nil && e.Fields[field] == filled[field] {
				return uniqueViolation(map[string]any{field: filled[field]})
			}
		}
		if k == plugins && samePlace(e.Fields, filled) {
			return uniqueViolation(map[string]any{"name": filled["name"], "route": filled["route"], "service": filled["service"], "consumer": filled["consumer"]})
		}
	}
	return nil
}

// samePlace reports whether two plugin entities apply the same plugin to the
// same things, which only one may.
func samePlace(a, b map[string]any) bool {
	same := a["name"] == b["name"]
	for _, link := range plugins.Links {
		same = same && idOf(a[link.Field]) == idOf(b[link.Field])
	}
	return same
}

func target(e *Entity, field string) string { return idOf(e.Fields[field]) }

func idOf(value any) string {
	record, _ := value.(map[string]any)
	return name(record["id"])
}

// isID: what does not look like an id is a handle.
func isID(key string) bool { return len(key) == 36 && uuid.Validate(key) == nil }

// clone has lists of its own, and a hash that no text has.
func (c *Config) clone() *Config {
	var hash [16]byte
	_, _ = rand.Read(hash[:]) // never fails
	return &Config{
		Services: slices.Clone(c.Services), Routes: slices.Clone(c.Routes),
		Consumers: slices.Clone(c.Consumers), Plugins: slices.Clone(c.Plugins),
		Hash: hex.EncodeToString(hash[:]),
	}
}

func (c *Config) drop(k *Kind, id string) {
	switch k {
	case services:
		c.Services = without(c.Services, id)
	case routes:
		c.Routes = without(c.Routes, id)
	case consumers:
		c.Consumers = without(c.Consumers, id)
	case plugins:
		c.Plugins = without(c.Plugins, id)
	}
}

// relink lets entities point to those of this configuration. What points
// elsewhere is copied: requests under way still read it.
func (c *Config) relink() {
	service, route, consumer := byID(c.Services), byID(c.Routes), byID(c.Consumers)
	for i, r := range c.Routes {
		if to := service[target(&r.Entity, "service")]; to != r.Service {
			again := *r
			again.Service = to
			c.Routes[i], route[r.ID] = &again, &again
		}
	}
	for i, p := range c.Plugins {
		again := *p
		again.Service = service[target(&p.Entity, "service")]
		again.Route = route[target(&p.Entity, "route")]
		again.Consumer = consumer[target(&p.Entity, "consumer")]
		c.Plugins[i] = &again
	}
}

func entitiesOf[T interface{ entity() *Entity }](list []T) []*Entity {
	all := make([]*Entity, len(list))
	for i, e := range list {
		all[i] = e.entity()
	}
	return all
}

func byID[T interface{ entity() *Entity }](list []T) map[string]T {
	all := make(map[string]T, len(list))
	for _, e := range list {
		all[e.entity().ID] = e
	}
	return all
}

// set puts one in the place of the one of the same id, or at the end.
func set[T interface{ entity() *Entity }](list []T, one T) []T {
	if i := slices.IndexFunc(list, func(e T) bool { return e.entity().ID == one.entity().ID }); i >= 0 {
		list[i] = one
		return list
	}
	return append(list, one)
}

func without[T interface{ entity() *Entity }](list []T, id string) []T {
	return slices.DeleteFunc(list, func(e T) bool { return e.entity().ID == id })
}
