package router

import (
	"slices"

	"github.com/kong/keg"
	"github.com/kong/keg/router/strict"
)

// document is the top level of routes.yaml.
type document struct {
	Routes    strict.Raw `keg:"routes,required" doc:"The routes, in order." ref:"routes"`
	Defaults  strict.Raw `keg:"defaults" doc:"Settings that every destination inherits." ref:"defaults"`
	Unmatched strict.Raw `keg:"unmatched" doc:"What becomes of an event that no route takes: accept, reject, or a list of destinations." ref:"unmatched"`
	Sources   strict.Raw `keg:"sources" doc:"Where events come from, beside Kong." ref:"sources"`
}

// Parse compiles a table from YAML or JSON. name stands for the file in the
// places of errors, which are an [Errors].
func Parse(name string, text []byte, o Options) (*Table, error) {
	return parse(name, text, o, false)
}

// ParseRoutes is Parse for a text that may also be the bare list of routes, as
// a plugin's configuration holds it.
func ParseRoutes(name string, text []byte, o Options) (*Table, error) {
	return parse(name, text, o, true)
}

func parse(name string, text []byte, o Options, bare bool) (*Table, error) {
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 3
	}
	top, err := strict.Read(name, text)
	if err != nil {
		return nil, err
	}
	c := newCompiler(name, o)
	var doc document
	empty := top.IsMapping() && top.Len() == 0
	switch {
	case bare && (top.IsList() || empty):
		doc.Routes.Place = top
	case top.IsList():
		c.Fail(top, "must be a mapping of keys to values: put the list under `routes:`")
	default:
		c.Struct([]any{&doc}, top)
	}
	if doc.Sources.Set() && bare {
		c.FailKey(doc.Sources.Place, "belongs in the routes file of the node, which starts the sources; a plugin's routes have none")
		doc.Sources = strict.Raw{}
	}
	t := c.table(doc)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

// compiler turns the places of a document into a table. Whatever it cannot
// make sense of it notes as a problem, and goes on.
type compiler struct {
	*strict.Decoder
	destinations destinations
	sourceTypes  []keg.SourceType
	file         string                   // the document's name
	names        map[string]*strict.Place // of routes, to where they were given
	checkers     map[string]*checker      // by the schema's text
	current      *Route                   // which a `when` or a transform belongs to; nil outside of routes
}

func newCompiler(name string, o Options) *compiler {
	return &compiler{
		Decoder:      strict.NewDecoder(name, strict.Options{Secrets: o.Secrets, LookupEnv: o.LookupEnv, ReadFile: o.ReadFile}),
		destinations: destinations{types: o.Types, maxAttempts: o.MaxAttempts},
		sourceTypes:  o.SourceTypes,
		file:         name,
		names:        map[string]*strict.Place{},
		checkers:     map[string]*checker{},
	}
}

func (c *compiler) table(doc document) *Table {
	t := &Table{}
	if doc.Defaults.Set() {
		c.defaults(doc.Defaults.Place)
	}
	if doc.Routes.Set() {
		items := c.Items(doc.Routes.Place)
		t.routes = make([]*Route, 0, len(items))
		for i := range items {
			t.routes = append(t.routes, c.route(&items[i]))
		}
	}
	if doc.Unmatched.Set() {
		c.current = nil
		t.unmatched = c.unmatched(doc.Unmatched.Place)
	}
	if doc.Sources.Set() {
		t.sources = c.sources(doc.Sources.Place)
	}
	if c.Failed() > 0 {
		return nil
	}
	t.index = newIndex(t.routes)
	t.files = slices.Sorted(slices.Values(c.Files()))
	t.needs = needsOf(t.routes, t.unmatched)
	return t
}

func (c *compiler) unmatched(p *strict.Place) Unmatched {
	if p.IsList() {
		return Unmatched{Destinations: c.list(p, nil)}
	}
	text, ok := c.Text(p)
	switch {
	case !ok:
	case text.Value == "reject":
		return Unmatched{Reject: true}
	case text.Value != "accept":
		c.Fail(p, "must be accept, reject, or a list of destinations, not %s", text)
	}
	return Unmatched{}
}
