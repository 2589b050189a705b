package sinktest

import (
	"context"

	"github.com/kong/keg"
)

// Secret is what a target's settings hold wherever the type has a secret: the
// suite looks for it in every error.
const Secret = "s3cr3t-of-sinktest"

// Target is a running server of the type under test, and how to see what
// arrived there.
type Target struct {
	// Type is the destination's type. Open makes a sink in the way that the
	// node does, and is a pool's Open.
	Type string
	Open func(d *keg.Destination) (keg.Sink, error)
	// Settings returns new settings for the server behind the wire, with
	// [Secret] wherever they can hold one. All of them lead to one place (one
	// topic), which is empty at the start.
	Settings func() keg.Settings
	// Wire is the listener of the server; nil for RunWithoutWire.
	Wire *Wire
	// Arrived returns all that has arrived so far, in any order. The suite asks
	// while the wire is whole.
	Arrived func(ctx context.Context) ([]Arrival, error)
	// Formats are those to be tried.
	Formats []keg.Format
	// Refusals are the ways in which this type says no for good.
	Refusals []Refusal
	// Headers tells that the type writes headers: the destination's own, and
	// those that the event brings.
	Headers bool
}

// Refusal is one way in which a destination says no for good.
type Refusal struct {
	Name string
	// Settings, where it is not nil, returns settings that are refused.
	Settings func() keg.Settings
	// Event, where it is not nil, changes the event into one that is refused.
	Event func(e *keg.Event)
	// TooLarge tells that the size of the event is what is refused.
	TooLarge bool
	// Begin, where it is not nil, makes the server refuse until End is called.
	Begin, End func()
}

// Arrival is one thing that arrived at a destination.
type Arrival struct {
	// Event is what the receiver's reading of it makes of it: through package
	// cloudevents, from the wire form that the type has.
	Event *keg.Event
	// Body is what arrived as the payload, whatever the format.
	Body []byte
	// Headers are those that came with it, by the names that the type spells.
	Headers map[string][]string
}
