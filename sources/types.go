package sources

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// Options are what a node gives to each of its sources.
type Options struct {
	// Events bounds and labels what is read; its MaxBytes holds for every source.
	Events cloudevents.Options
	Log    *slog.Logger
	// Rejected, where it is set, is told what came to a source that listens and is
	// no event; by many goroutines at once. What comes from a broker and is none is
	// abandoned.
	Rejected func(c keg.SourceConfig, err error)
	// Ready, where it is set, is called once, when a source that listens does, at
	// address.
	Ready func(c keg.SourceConfig, address net.Addr)
}

// kind is one type of source: what the route table knows of it, and how a source
// of that type is made.
type kind struct {
	keg.SourceType
	// open reads files, and neither listens nor dials. The settings are of the
	// type that New returns, and their Validate has found no fault.
	open func(c keg.SourceConfig, o Options) (keg.Source, error)
}

func kinds() []kind {
	return []kind{httpKind(), kafkaKind(), mqttKind()}
}

// Types lists the types of source that [Open] knows.
func Types() []keg.SourceType {
	var types []keg.SourceType
	for _, k := range kinds() {
		types = append(types, k.SourceType)
	}
	return types
}

// Open makes the source that c describes. It validates the settings and reads
// the files that they name, and neither listens nor dials. What is wrong with
// the settings is told as [*keg.FieldError]s, joined. How an event is promised
// and for how long it is waited for (Ack, Timeout, Dedupe, ForwardHeaders) is
// the intake's matter; a source knows Timeout alone, so as not to give up
// sooner.
func Open(c keg.SourceConfig, o Options) (keg.Source, error) {
	c.Name = cmp.Or(c.Name, c.Settings.Label())
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, k := range kinds() {
		if k.Name != c.Type {
			continue
		}
		if err := c.Settings.Validate(); err != nil {
			return nil, err
		}
		return k.open(c, o)
	}
	return nil, fmt.Errorf("there is no source type %q", c.Type)
}

// maxBytes is the largest event that a source takes.
func (o Options) maxBytes() int {
	if o.Events.MaxBytes > 0 {
		return int(o.Events.MaxBytes)
	}
	return cloudevents.DefaultMaxBytes
}

// config is a source of settings alone.
func config(typeName string, settings keg.SourceSettings) keg.SourceConfig {
	return keg.SourceConfig{Type: typeName, Name: settings.Label(), Settings: settings}
}
