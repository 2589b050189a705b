package sinks

import (
	"context"

	"github.com/kong/keg"
)

// Discard are the settings of a destination of type "discard", which takes every
// event and forgets it: what a route that only keeps events from later ones
// (`final: true`) leads to, and what KEG's own speed is measured with.
type Discard struct {
	Note string `keg:"note" doc:"What is discarded here, and why; for people."`
}

func discardKind() kind {
	return kind{
		DestinationType: keg.DestinationType{
			Name:    "discard",
			Doc:     "Takes every event and forgets it.",
			New:     func() keg.Settings { return &Discard{} },
			Format:  keg.FormatBinary,
			Formats: []keg.Format{keg.FormatBinary, keg.FormatStructured, keg.FormatRaw},
		},
		open: func(*Pool, *keg.Destination) (keg.Sink, error) { return discardSink{}, nil },
	}
}

// Label is the same for all.
func (*Discard) Label() string { return "discard://" }

// Validate finds no fault.
func (*Discard) Validate() error { return nil }

// Acknowledges is true: what was to be forgotten is.
func (*Discard) Acknowledges() bool { return true }

type discardSink struct{}

// Send takes e, and keeps nothing of it.
func (discardSink) Send(context.Context, *keg.Event) error { return nil }

// Close has nothing to give back.
func (discardSink) Close() error { return nil }
