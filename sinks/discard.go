package sinks

import (
	"context"

	"github.com/kong/keg"
)

// Discard are the settings of a destination that has every event at once and
// keeps none: to end, in a route that is `final`, what no later one is to see,
// and to measure all that KEG does but the sending.
type Discard struct {
	Address string `keg:"address" doc:"A word for people, in the destination's name. Nothing is connected to."`
}

func discardKind() kind {
	return kind{
		DestinationType: keg.DestinationType{
			Name:    "discard",
			Doc:     "Nowhere: it takes every event and keeps none.",
			New:     func() keg.Settings { return new(Discard) },
			Format:  keg.FormatBinary,
			Formats: []keg.Format{keg.FormatBinary, keg.FormatStructured, keg.FormatRaw},
		},
		open: func(*Pool, *keg.Destination) (keg.Sink, error) { return discardSink{}, nil },
	}
}

// Label is the type and the word.
func (d *Discard) Label() string { return "discard:" + d.Address }

// Acknowledges is true: taken is all that an event can be here.
func (*Discard) Acknowledges() bool { return true }

// Validate finds nothing wrong.
func (*Discard) Validate() error { return nil }

type discardSink struct{}

// Send takes e, without looking at it.
func (discardSink) Send(ctx context.Context, _ *keg.Event) error { return ctx.Err() }

func (discardSink) Close() error { return nil }
