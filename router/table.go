package router

import (
	"os"
	"sync/atomic"

	"github.com/kong/keg"
	"github.com/kong/keg/router/strict"
)

// Options are what a table may draw on beside its text.
type Options struct {
	// Types are the destinations that can be reached.
	Types []keg.DestinationType
	// SourceTypes are the sources that `sources` may name; [ParseRoutes] takes none.
	SourceTypes []keg.SourceType
	// Secrets, where it is not nil, fills in ${NAME} before LookupEnv does.
	Secrets map[string]keg.Secret
	// LookupEnv fills in ${NAME}; os.LookupEnv where nil.
	LookupEnv func(string) (string, bool)
	// ReadFile fills in {file: path}; os.ReadFile where nil.
	ReadFile func(string) ([]byte, error)
	// MaxAttempts is how often a delivery is tried where the table does not
	// say; 3 where 0.
	MaxAttempts int
}

// Error is one thing wrong with a table's text, at its place.
type Error = strict.Error

// Errors is all that is wrong with a table's text, in its order. It is the
// error that [Load], [Parse] and [ParseRoutes] return for any text.
type Errors = strict.Errors

// Table is a compiled list of routes. It never changes.
type Table struct {
	routes    []*Route
	unmatched Unmatched
	sources   []keg.SourceConfig
	index     index
	needs     Needs
	files     []string
}

// Unmatched says what becomes of an event that no route takes.
type Unmatched struct {
	// Reject refuses it.
	Reject bool
	// Destinations get it; with none, and no Reject, it is counted and
	// forgotten.
	Destinations []*keg.Destination
}

// Needs are the parts of a request that the routes look at, beside the
// attributes; what is not needed need not be fetched.
type Needs struct {
	// Headers are lower-case names, sorted.
	Headers []string
	// AllHeaders: some `when` looks at the headers as a whole.
	AllHeaders bool
	Data       bool
}

// Route is one entry of a table: what it takes, and where that goes.
type Route struct {
	Name, Description string
	// Enabled routes take events; others are only listed.
	Enabled bool
	// Destinations are distinct, at least one, their names unique.
	Destinations []*keg.Destination
	// DeadLetter gets what a destination did not take; nil without one.
	DeadLetter *keg.Destination
	// Final routes, once taken, are the last that are looked at.
	Final bool
	// Ordered routes deliver the events of one key (partitionkey, else subject,
	// else source) to each destination in the order of their arrival.
	Ordered bool
	// Transform is the route's own, nil without one. It is part already of what
	// its destinations' Transform does; dead letters are not subject to it.
	Transform *Transform
	// Schema is what the data of an event must fit, nil without one, and
	// OnViolation what becomes of an event that does not.
	Schema      *Schema
	OnViolation OnViolation
	// Line is where the text has the route.
	Line int

	match      clause
	whenErrors atomic.Uint64
}

// WhenErrors is how often a `when` of the route has ended in an error or in no
// boolean, which counts as no match.
func (r *Route) WhenErrors() uint64 { return r.whenErrors.Load() }

// Empty is the table without routes.
func Empty() *Table { return &Table{} }

// Load reads and compiles the table in a file. The error is the file system's
// or an [Errors].
func Load(path string, o Options) (*Table, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, o)
}

// Routes lists all routes in order, the disabled ones too. The slice is the
// table's own.
func (t *Table) Routes() []*Route { return t.routes }

// Unmatched says what becomes of an event that no route takes.
func (t *Table) Unmatched() Unmatched { return t.unmatched }

// Sources are the sources that the text has, in its order, their names unique.
// The slice is the table's own.
func (t *Table) Sources() []keg.SourceConfig { return t.sources }

// Needs tells what the routes look at.
func (t *Table) Needs() Needs { return t.needs }

// Files lists the files that were read for the table beside its own: secrets
// and schemas, as they were opened, sorted. When one changes, so may the table.
func (t *Table) Files() []string { return t.files }

// Summary counts what a table holds.
type Summary struct {
	Routes, Disabled int
	// Ordered, Schemas and Transforms count enabled routes that have one, and
	// Transforms each destination's own too.
	Ordered, Schemas, Transforms int
	// Destinations counts deliveries that could be owed at most: those of
	// enabled routes, of `unmatched` and dead letters, by type.
	Destinations map[string]int
	// Sources counts by type.
	Sources map[string]int
}

// Summary counts what the table holds.
func (t *Table) Summary() Summary {
	s := Summary{Routes: len(t.routes), Destinations: map[string]int{}, Sources: map[string]int{}}
	add := func(d *keg.Destination, route *Transform) {
		s.Destinations[d.Type]++
		if ownTransform(d, route) != nil {
			s.Transforms++
		}
	}
	for _, r := range t.routes {
		if !r.Enabled {
			s.Disabled++
			continue
		}
		if r.Ordered {
			s.Ordered++
		}
		if r.Schema != nil {
			s.Schemas++
		}
		if r.Transform != nil {
			s.Transforms++
		}
		for _, d := range r.Destinations {
			add(d, r.Transform)
		}
		if r.DeadLetter != nil {
			add(r.DeadLetter, nil)
		}
	}
	for _, d := range t.unmatched.Destinations {
		add(d, nil)
	}
	for _, source := range t.sources {
		s.Sources[source.Type]++
	}
	return s
}
