package console

import (
	"context"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/outbox"
)

// Node is what the console looks at. Its functions are called by many
// goroutines at once, answer at once, and return nothing secret; one that is nil
// stands for something that the node does not have.
type Node struct {
	// Version is that of the program.
	Version string
	// Phase is where the node is in its life; nil is always serving.
	Phase func() Phase
	// Store is nil without persistence.
	Store outbox.Store
	// Hub counts what went through it.
	Hub func() hub.Stats
	// Destinations are those that the tables in use name, each once.
	Destinations func() []Destination
	Sources      func() []Source
	Routes       func() Routes
	// WhenErrors counts by route how often a `when` ended in an error.
	WhenErrors func() map[string]uint64
	// Background counts what plugins have left to be sent in the background.
	Background func() Background
	// Republish publishes a dead letter's event by today's routes, and removes
	// the dead letter in the step that stores what is then owed. An error leaves
	// the dead letter as it is; where no route takes the event, that is a
	// [*keg.UnroutedError].
	Republish func(context.Context, *keg.DeadLetter) error
}

// Background counts the records and log entries that wait in memory to be sent,
// and those that were lost since the node's start.
type Background struct{ Waiting, Lost int64 }

// Phase is where a node is in its life.
type Phase string

// The phases, spelled as /readyz spells them.
const (
	Starting Phase = "starting"
	Serving  Phase = "serving"
	Stopping Phase = "stopping"
)

// Breaker is the state of a destination's breaker.
type Breaker string

// The states, spelled as /readyz spells them.
const (
	Closed   Breaker = "closed"    // deliveries go there
	HalfOpen Breaker = "half-open" // one goes there, to see
	Open     Breaker = "open"      // it is away, and deliveries wait
)

// Destination is how one destination fares.
type Destination struct {
	// Label is the destination's, free of secrets: "kafka://kafka:9092/orders".
	Label   string
	Breaker Breaker
	// Since is when the breaker came into its state; zero: from the start.
	Since time.Time
	// Error is the last error, in one line without secrets; "" for none.
	Error string
	// Queues are those whose deliveries go there: what waits in them waits for
	// this destination.
	Queues []outbox.Queue
}

// Source is how one way in fares.
type Source struct {
	// Name is free of secrets: "kafka://kafka:9092".
	Name string
	// Up tells that events can come from it now.
	Up    bool
	Since time.Time // it is up, or down; zero: from the start
	Error string    // the last error, in one line without secrets
}

// Routes is the node's own route table.
type Routes struct {
	File   string // "" where no file is read
	Routes int
	Loaded time.Time // when the table in use was read
	SHA256 string    // of its text, as sha256sum prints it
	// Reloads and Failures count the changes of the file that were taken in and
	// that were not.
	Reloads, Failures int64
	// Error is what was wrong with the last change, without secrets, and Failed
	// when that was; "" where it was taken in.
	Error  string
	Failed time.Time
}

func (n *Node) phase() Phase {
	if n.Phase == nil {
		return Serving
	}
	return n.Phase()
}

// call is f's result, or nothing where the node has no f.
func call[T any](f func() T) (result T) {
	if f != nil {
		result = f()
	}
	return result
}
