package declarative

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Loader reads configurations for a set of plugins.
type Loader struct {
	// Schemas are those of the plugins that are enabled, by name.
	Schemas map[string]*Schema

	seq atomic.Int64
}

// Load reads one declarative configuration. Its error is an [*Error] with every
// problem of the text.
func (l *Loader) Load(text []byte) (*Config, error) {
	value, err := Decode(text)
	if err != nil {
		return nil, Unreadable(err)
	}
	hash := md5.Sum(text)
	return l.LoadValue(value, hex.EncodeToString(hash[:]))
}

// LoadValue is Load for a document that is decoded already.
func (l *Loader) LoadValue(value any, hash string) (*Config, error) {
	document, ok := asRecord(value)
	if !ok {
		return nil, declarativeError(map[string]any{"error": "expected a declarative configuration, a record with _format_version"})
	}
	d := draft{loader: l, config: &Config{Hash: hash}, now: time.Now().Unix()}
	problems := d.document(document)
	if len(problems) == 0 {
		problems = d.link()
	}
	if len(problems) > 0 {
		return nil, declarativeError(problems)
	}
	for _, p := range d.config.Plugins {
		p.Seq = int(l.seq.Add(1))
	}
	return d.config, nil
}

// CheckPlugin checks one plugin entity on its own, as the Admin API's validate
// does; nil is good.
func (l *Loader) CheckPlugin(value any) *Error {
	record, ok := asRecord(value)
	if !ok {
		return schemaViolation(map[string]any{"@entity": []any{"expected a record"}})
	}
	d := draft{loader: l, config: &Config{}}
	if problem, _ := d.plugin(record, nil, nil).(map[string]any); len(problem) > 0 {
		return schemaViolation(problem)
	}
	return nil
}

// draft is a configuration while it is read: entities that are good so far,
// and what they refer to by name.
type draft struct {
	loader  *Loader
	config  *Config
	now     int64
	pending []pointer
}

func (d *draft) document(document map[string]any) map[string]any {
	problems := map[string]any{}
	for key, value := range document {
		switch key {
		case "_format_version":
			if value != "3.0" {
				problems[key] = "expected one of: 3.0"
			}
		case "_transform", "_comment", "_ignore", "_info":
		case "services", "routes", "plugins":
		default:
			problems[key] = unknown("", key)
		}
	}
	if document["_format_version"] == nil {
		problems["_format_version"] = requiredMissing
	}
	put := func(key string, problem any) {
		if problem != nil {
			problems[key] = problem
		}
	}
	put("services", d.each(document["services"], d.service))
	put("routes", d.each(document["routes"], func(v any) any { return d.route(v, nil) }))
	put("plugins", d.each(document["plugins"], func(v any) any { return d.plugin(v, nil, nil) }))
	return problems
}

// each reads a list of entities and returns their problems by place.
func (d *draft) each(value any, read func(any) any) any {
	if value == nil {
		return nil
	}
	list, ok := asList(value)
	if !ok {
		return "expected an array"
	}
	return problemsOf(list, read)
}

// check checks a core entity without the keys that lead to others, and returns
// it filled.
func (d *draft) check(kind string, schema *Field, record map[string]any, apart ...string) (map[string]any, map[string]any) {
	own := map[string]any{}
	problems := map[string]any{}
	for key, value := range record {
		switch {
		case slices.Contains(apart, key), key == "_comment", key == "_ignore":
		case schema.member(key) == nil:
			problems[key] = unknown(kind, key)
		default:
			own[key] = value
		}
	}
	if more, ok := schema.check(own).(map[string]any); ok {
		for key, problem := range more {
			problems[key] = problem
		}
	}
	filled := schema.fillRecord(own)
	filled["created_at"], filled["updated_at"] = float64(d.now), float64(d.now)
	return filled, problems
}

func unknown(kind, key string) string {
	if slices.Contains(unsupported[kind], key) {
		return unsupportedText
	}
	return unknownField
}

func mustField(text string) *Field {
	var f Field
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		panic(fmt.Sprintf("declarative: a core schema is broken: %v", err))
	}
	var errs []error
	if f.prepare("", &errs); len(errs) > 0 {
		panic(fmt.Sprintf("declarative: a core schema is broken: %v", errs))
	}
	return &f
}

var (
	services = mustField(serviceSchema)
	routes   = mustField(routeSchema)
	plugins  = mustField(pluginSchema)
)
