package declarative

import (
	"crypto/md5"
	"encoding/hex"
	"sync/atomic"
	"time"
)

// Loader reads configurations for a set of plugins, and makes changes of single
// entities of them. Its methods may be called by many goroutines at once.
type Loader struct {
	// Schemas are those of the plugins that are enabled, by name.
	Schemas map[string]*Schema
	// ReadOnly refuses changes of single entities where Kong without a database
	// does: after it has found them valid.
	ReadOnly bool

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
	l.renumber(d.config)
	return d.config, nil
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
		case "services", "routes", "consumers", "plugins":
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
	put("consumers", d.each(document["consumers"], d.consumer))
	put("plugins", d.each(document["plugins"], func(v any) any { return d.plugin(v, nil) }))
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

// Check checks one entity on its own, as the Admin API's validate does; nil is
// good.
func (l *Loader) Check(k *Kind, record map[string]any) error {
	_, err := l.valid(&Config{}, k, record)
	return err
}
