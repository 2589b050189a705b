package keg

import (
	"context"
	"time"
)

// Sink is the code that reaches one destination.
type Sink interface {
	// Send returns nil once the destination has taken e, as its settings define
	// taken (Kafka's acks, MQTT's qos, an HTTP status below 300). It blocks until
	// then, or until ctx ends; a Send that was cut short may still have
	// delivered. It makes one attempt and never retries, keeps nothing of e once
	// it has returned, and may be called by many goroutines at once. Its error is
	// [Permanent], [RetryAfter] or transient, and holds no secret.
	Send(ctx context.Context, e *Event) error

	// Close gives back what the sink holds. It is called once, after the last
	// Send has returned.
	Close() error
}

// Source is a place that events come from.
type Source interface {
	// Run hands every event that arrives to in, and tells the sender that it may
	// forget an event only when in has said so. It blocks until ctx ends (nil) or
	// it cannot go on (an error); a peer that is away is no reason to return. It
	// returns after the last call of in's methods has.
	Run(ctx context.Context, in Intake) error
}

// Handler takes events in, blocks until what the entry promises has happened to
// them, and returns one receipt for each event, in order. Events belong to it
// from the call on. It may be called by many goroutines at once.
type Handler func(ctx context.Context, events ...*Event) Receipts

// Ack is what an entry promises a sender by a good answer.
type Ack string

// The promises, spelled as configuration spells them.
const (
	// AckDelivered: every owed destination has the event.
	AckDelivered Ack = "delivered"
	// AckStored: the event is stored durably and will be delivered.
	AckStored Ack = "stored"
	// AckNone: the event is on its way, and nobody will tell if it is lost.
	AckNone Ack = "none"
)

// Receipt says what became of one event.
type Receipt struct {
	ID string
	// Routes names the routes that took the event, in the table's order; empty
	// where none did.
	Routes []string
	// Ack is the promise that holds where Err is nil.
	Ack Ack
	// Deliveries are the attempts made before the answer; empty under AckStored
	// and AckNone.
	Deliveries []Delivery
	// Duplicate tells that an event of the same source and id was stored within
	// the entry's window, so that this one was not.
	Duplicate bool
	// Err is nil where the sender may forget the event; otherwise the event is
	// still the sender's.
	Err error
}

// Receipts are the receipts of one call, in the order of its events.
type Receipts []Receipt

// Refused counts the events that are still the sender's, and returns the first
// one's receipt; nil where every event is safe.
func (r Receipts) Refused() (count int, first *Receipt) {
	for i := range r {
		if r[i].Err == nil {
			continue
		}
		if count++; first == nil {
			first = &r[i]
		}
	}
	return count, first
}

// Delivery is one event owed to one destination, and how that went.
type Delivery struct {
	Route       string
	Destination *Destination
	Attempts    int
	Took        time.Duration
	// Err is nil where the destination has the event. It wraps
	// context.DeadlineExceeded where time ran out.
	Err error
	// DeadLettered tells that the route's dead-letter destination has the event.
	DeadLettered bool
}

// Format is how an event is written for a destination.
type Format string

// The formats, spelled as configuration spells them.
const (
	FormatBinary     Format = "binary"     // attributes beside the data; CloudEvents' binary mode
	FormatStructured Format = "structured" // one JSON document; CloudEvents' structured mode
	FormatRaw        Format = "raw"        // the data alone
)

// Retry says how often and how long a delivery is tried.
type Retry struct {
	MaxAttempts int           // in total, the first included; at least 1
	Backoff     time.Duration // the longest first wait; it doubles each time
	MaxBackoff  time.Duration // the longest wait
	MaxAge      time.Duration // after which a stored delivery is given up
}

// Destination is one place that a route sends events to.
type Destination struct {
	Type string // "kafka"
	// Name is what people know it by, unique in its route and free of secrets:
	// given, or made by [Settings.Label].
	Name    string
	Timeout time.Duration // of one attempt
	Retry   Retry
	Format  Format
	// Headers are added to what is sent, whatever the event brings; in Kafka's
	// and HTTP's headers. Their values may be secrets.
	Headers  map[string]Secret
	Settings Settings
	// Transform makes what is sent of an event; nil sends it as it is. Whoever
	// sends calls it once for each attempt, and keeps the event itself.
	Transform Transformer
}

// Transformer makes another event of one.
type Transformer interface {
	// Apply returns a new event, or e where it changes nothing. It never changes
	// e, is a function of e alone, blocks on nothing, and may be called by many
	// goroutines at once. Its errors are [Permanent] and hold no secret.
	Apply(e *Event) (*Event, error)
}

// Settings are the keys of routes.yaml that one type of destination has of its
// own: a pointer to a struct whose fields are tagged for package router/strict.
type Settings interface {
	// Label describes the destination in a URL's form, without any secret:
	// "kafka://kafka:9092/order-processing". Equal settings have equal labels.
	Label() string
	// Validate reports every setting that is wrong, each a [*FieldError], joined.
	// It neither dials nor reads files.
	Validate() error
	// Acknowledges reports whether the destination tells what it has taken.
	// One that does not (Kafka's acks none, MQTT's qos 0) serves AckNone only.
	Acknowledges() bool
}

// DestinationType is one kind of destination: what the route table must know to
// read it. The sinks package lists those it can reach.
type DestinationType struct {
	Name string
	// Doc describes the type in one sentence, for schemas and help.
	Doc string
	// New returns a pointer to the type's settings, zero but for its type.
	New func() Settings
	// Format is the default of the destination's format key, and Formats the
	// values that it may have.
	Format  Format
	Formats []Format
}
