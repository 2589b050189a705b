package declarative

import (
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
)

// maxEntities bounds what single changes can make of a configuration.
const maxEntities = 50_000

// Create returns c with one entity more, which it returns too. All changes of
// single entities leave c as it is, and fail with an [*Error], in Kong's words.
func (l *Loader) Create(c *Config, k *Kind, record map[string]any) (*Config, *Entity, error) {
	filled, err := l.valid(c, k, record)
	if err != nil {
		return nil, nil, err
	}
	id := name(filled["id"])
	if id == "" {
		id = uuid.NewString()
	}
	switch {
	case l.ReadOnly:
		return nil, nil, readOnly("create", k, true)
	case len(c.Services)+len(c.Routes)+len(c.Consumers)+len(c.Plugins) >= maxEntities:
		return nil, nil, Refused("@entity", fmt.Sprintf("this stand-in for Kong holds %d entities and no more", maxEntities))
	case c.Find(k, id) != nil && c.Find(k, id).ID == id:
		return nil, nil, primaryKeyViolation(id)
	}
	filled["id"] = id
	stamp(filled, nil)
	return l.store(c, k, filled)
}

// Update returns c with one entity changed in the fields that record has; of
// records within it, too, what is not named stays. The entity is found by its
// id or handle.
func (l *Loader) Update(c *Config, k *Kind, key string, record map[string]any) (*Config, *Entity, error) {
	before, err := c.lookUp(k, key)
	if err != nil {
		return nil, nil, err
	}
	if before == nil {
		return nil, nil, notFound(k, key)
	}
	merged := l.merge(k, before, record)
	merged["id"] = before.ID
	filled, err := l.valid(c, k, merged)
	if err != nil {
		return nil, nil, err
	}
	if l.ReadOnly {
		return nil, nil, readOnly("update", k, isID(key))
	}
	stamp(filled, before.Fields)
	return l.store(c, k, filled)
}

// Put returns c with the entity of that id or handle made anew: what record does
// not name has its default.
func (l *Loader) Put(c *Config, k *Kind, key string, record map[string]any) (*Config, *Entity, error) {
	before, err := c.lookUp(k, key)
	if err != nil {
		return nil, nil, err
	}
	record = maps.Clone(record)
	var was map[string]any
	switch {
	case before != nil:
		record["id"], was = before.ID, before.Fields
	case isID(key):
		record["id"] = key
	default:
		record["id"] = uuid.NewString()
	}
	if !isID(key) {
		record[k.Handle] = key
	}
	filled, err := l.valid(c, k, record)
	if err != nil {
		return nil, nil, err
	}
	if l.ReadOnly {
		return nil, nil, readOnly("create or update", k, isID(key))
	}
	stamp(filled, was)
	return l.store(c, k, filled)
}

// Remove returns c without an entity, and without what goes with it. One that is
// not there is gone already.
func (l *Loader) Remove(c *Config, k *Kind, key string) (*Config, error) {
	one, err := c.lookUp(k, key)
	if err != nil || one == nil {
		return c, err
	}
	if l.ReadOnly {
		return nil, readOnly("remove", k, isID(key))
	}
	next := c.clone()
	next.drop(k, one.ID)
	for _, child := range kinds {
		link := child.LinkTo(k.Name)
		if link == nil {
			continue
		}
		for _, e := range c.Entities(child) {
			switch {
			case target(e, link.Field) != one.ID:
			case !link.cascade:
				return nil, restricted(k, child)
			default:
				next.drop(child, e.ID)
			}
		}
	}
	next.relink()
	if len(next.Plugins) != len(c.Plugins) {
		l.renumber(next)
	}
	return next, nil
}

// valid checks one entity as far as Kong does without looking at others, and
// returns it with its defaults and its links as ids.
func (l *Loader) valid(c *Config, k *Kind, record map[string]any) (map[string]any, error) {
	filled, problems := l.read(k, record)
	unresolved := map[string]any{}
	for _, link := range k.Links {
		id, problem, wrong := c.resolve(link, record[link.Field])
		switch {
		case wrong:
			unresolved[link.Field] = problem
		case problem != nil:
			problems[link.Field] = problem
		case id == "":
			filled[link.Field] = nil
		default:
			filled[link.Field] = map[string]any{"id": id}
		}
	}
	if len(problems) > 0 {
		return nil, schemaViolation(problems)
	}
	if len(unresolved) > 0 {
		return nil, unresolvedLinks(unresolved)
	}
	return filled, nil
}

// store takes an entity in that is good by itself, if it is among the others.
func (l *Loader) store(c *Config, k *Kind, filled map[string]any) (*Config, *Entity, error) {
	if err := c.conflict(k, filled); err != nil {
		return nil, nil, err
	}
	next := c.clone()
	switch k {
	case services:
		next.Services = set(next.Services, serviceOf(filled))
	case routes:
		next.Routes = set(next.Routes, routeOf(filled))
	case consumers:
		next.Consumers = set(next.Consumers, consumerOf(filled))
	case plugins:
		next.Plugins = set(next.Plugins, pluginOf(l, filled))
	}
	next.relink()
	if k == plugins {
		l.renumber(next)
	}
	return next, next.Find(k, name(filled["id"])), nil
}

// renumber gives every plugin entity a new __seq__. Kong reads all of them anew
// whenever one has changed, and so renews the instances of all.
func (l *Loader) renumber(c *Config) {
	for i, p := range c.Plugins {
		again := *p
		again.Seq = int(l.seq.Add(1))
		c.Plugins[i] = &again
	}
}

// stamp sets an entity's times; before is what it was, nil where it is new.
func stamp(filled, before map[string]any) {
	now := float64(time.Now().Unix())
	if filled["updated_at"] = now; before != nil {
		filled["created_at"] = before["created_at"]
	}
	if filled["created_at"] == nil {
		filled["created_at"] = now
	}
}

// merge lays what was written over an entity.
func (l *Loader) merge(k *Kind, before *Entity, written map[string]any) map[string]any {
	schema := *k.schema
	if plugin := l.Schemas[before.Name]; k == plugins && plugin != nil {
		if again := name(written["name"]); again == "" || again == before.Name {
			schema.Fields = append(schema.Fields[:len(schema.Fields):len(schema.Fields)], Named{"config", plugin.Config})
		}
	}
	return schema.merge(before.Fields, written)
}

func (f *Field) merge(before, written map[string]any) map[string]any {
	merged := maps.Clone(before)
	for key, value := range written {
		member := f.member(key)
		over, isRecord := asRecord(value)
		under, wasRecord := asRecord(before[key])
		if isRecord && wasRecord && member != nil && member.Type == "record" {
			value = member.merge(under, over)
		}
		merged[key] = value
	}
	return merged
}
