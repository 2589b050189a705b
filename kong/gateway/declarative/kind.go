package declarative

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Kind is one of the kinds of entities that the stand-in has.
type Kind struct {
	Name   string // "services", which is also its path in the Admin API
	Handle string // the field that an entity is known by beside its id
	Links  []Link

	schema *Field
	unique []string
	// also checks what no schema says, and puts right what it is given.
	also func(l *Loader, record, filled, problems map[string]any)
}

// Link is a field that points to an entity of another kind.
type Link struct {
	Field string // "service"
	To    string // "services"
	// cascade: an entity goes with the one that it points to. Without it, what is
	// pointed to cannot go.
	cascade bool
}

// Kinds are all kinds, those that others point to first.
func Kinds() []*Kind { return kinds }

// KindOf returns the kind of that name, or nil.
func KindOf(name string) *Kind {
	if i := slices.IndexFunc(kinds, func(k *Kind) bool { return k.Name == name }); i >= 0 {
		return kinds[i]
	}
	return nil
}

// Link returns the link of that field, or nil.
func (k *Kind) Link(field string) *Link {
	if i := slices.IndexFunc(k.Links, func(l Link) bool { return l.Field == field }); i >= 0 {
		return &k.Links[i]
	}
	return nil
}

// LinkTo returns the link to that kind, or nil.
func (k *Kind) LinkTo(kind string) *Link {
	if i := slices.IndexFunc(k.Links, func(l Link) bool { return l.To == kind }); i >= 0 {
		return &k.Links[i]
	}
	return nil
}

var (
	services = &Kind{
		Name: "services", Handle: "name", schema: mustField(serviceSchema), unique: []string{"name"},
	}
	routes = &Kind{
		Name: "routes", Handle: "name", schema: mustField(routeSchema), unique: []string{"name"}, also: routeRules,
		Links: []Link{{Field: "service", To: "services"}},
	}
	consumers = &Kind{
		Name: "consumers", Handle: "username", schema: mustField(consumerSchema), unique: []string{"username", "custom_id"},
	}
	plugins = &Kind{
		Name: "plugins", Handle: "instance_name", schema: mustField(pluginSchema), unique: []string{"instance_name"}, also: pluginRules,
		Links: []Link{
			{Field: "consumer", To: "consumers", cascade: true},
			{Field: "route", To: "routes", cascade: true},
			{Field: "service", To: "services", cascade: true},
		},
	}
	kinds = []*Kind{services, routes, consumers, plugins}
)

// read checks the fields of one entity, but for those in apart, which lead to
// others; it returns them with their defaults, and what is wrong by field.
func (l *Loader) read(k *Kind, record map[string]any, apart ...string) (filled, problems map[string]any) {
	own := map[string]any{}
	problems = map[string]any{}
	for key, value := range record {
		switch {
		case slices.Contains(apart, key), k.Link(key) != nil, k == plugins && key == "config":
		case k.schema.member(key) == nil && slices.Contains(unset[k.Name], key) && value == nil:
		case k.schema.member(key) == nil:
			problems[key] = unknown(k.Name, key)
		default:
			own[key] = value
		}
	}
	if more, ok := k.schema.check(own).(map[string]any); ok {
		for key, problem := range more {
			problems[key] = problem
		}
	}
	filled = k.schema.fillRecord(own)
	for _, field := range unset[k.Name] {
		filled[field] = nil
	}
	if k.also != nil {
		k.also(l, record, filled, problems)
	}
	return filled, problems
}

func unknown(kind, key string) string {
	if slices.Contains(unsupported[kind], key) {
		return unsupportedText
	}
	return unknownField
}

// routeRules: a route has to say which requests it takes.
func routeRules(_ *Loader, _, filled, problems map[string]any) {
	empty := func(field string) bool { return isEmpty(filled[field]) }
	if len(problems) > 0 || !empty("methods") || !empty("hosts") || !empty("paths") || !empty("headers") {
		return
	}
	text := "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'"
	if !slices.Contains(texts(filled["protocols"]), "https") {
		text = "must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http'"
	}
	problems["@entity"] = []any{text}
}

// pluginRules checks a plugin's config by the plugin's own schema.
func pluginRules(l *Loader, record, filled, problems map[string]any) {
	plugin := name(filled["name"])
	schema := l.Schemas[plugin]
	switch {
	case problems["name"] != nil:
		return
	case schema == nil:
		problems["name"] = notEnabled(plugin)
		return
	}
	config, written := record["config"]
	if !written {
		config = map[string]any{}
	}
	if problem := schema.Config.check(config); problem != nil {
		problems["config"] = problem
	} else if problem := terminationProblem(plugin, config); problem != "" {
		problems["config"] = map[string]any{"@entity": []any{problem}}
	} else {
		filled["config"] = schema.Config.fill(config)
	}
}

func notEnabled(plugin string) string {
	if slices.Contains(bundled, plugin) {
		return fmt.Sprintf("plugin '%s' is not part of this stand-in for Kong, which has request-termination only; Kong itself has it", plugin)
	}
	return fmt.Sprintf("plugin '%s' not enabled; add it to the 'plugins' configuration property", plugin)
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
	for _, member := range f.Fields {
		switch member.Name {
		case "name", "instance_name":
			member.custom = nameProblem
		case "tags":
			member.Elements.custom = tagProblem
		case "hosts":
			member.Elements.custom = hostProblem
		}
	}
	return &f
}
