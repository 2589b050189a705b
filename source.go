package keg

import "time"

// SourceType is one kind of source: what must be known to read its settings. The
// sources package lists those it can open.
type SourceType struct {
	Name string // "kafka"
	// Doc describes the type in one sentence, for schemas and help.
	Doc string
	// New returns a pointer to the type's settings, zero but for its type.
	New func() SourceSettings
}

// SourceSettings are the keys of one type of source alone: a pointer to a struct
// whose fields are tagged for package router/strict.
type SourceSettings interface {
	// Label describes the source in a URL's form, without any secret:
	// "kafka://kafka:9092?topics=keg.events&group=keg".
	Label() string
	// Validate reports every setting that is wrong, each a [*FieldError], joined.
	// It neither dials nor reads files.
	Validate() error
}

// SourceConfig is one source, as `sources` of routes.yaml or KEG_EVENT_SOURCES
// names it. Its zero fields are the node's defaults.
type SourceConfig struct {
	Type string // "kafka"
	// Name is what people know it by: given, or made by [SourceSettings.Label].
	Name string
	// Ack is what the source waits for before its sender may forget an event.
	Ack Ack
	// Timeout bounds the wait for that.
	Timeout time.Duration
	// Dedupe is the window in which a second event of the same source and id is
	// dropped; it needs a store.
	Dedupe time.Duration
	// ForwardHeaders names the headers that travel on with an event.
	ForwardHeaders []string
	Settings       SourceSettings
	// Line is where routes.yaml has it; 0 where it came from elsewhere.
	Line int
}

// TopicAddress is what the settings of a destination that is a topic tell of the
// topic, so that a source which reads the same one can be told of the circle.
type TopicAddress interface {
	// Brokers are the cluster's addresses, each host:port.
	Brokers() []string
	// TopicPattern is the topic, with {attribute} for every place that an event
	// fills.
	TopicPattern() string
}
