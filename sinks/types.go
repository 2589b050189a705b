package sinks

import (
	"fmt"

	"github.com/kong/keg"
)

// kind is one type of destination: what the route table knows of it, and how a
// sink for a destination of that type is made.
type kind struct {
	keg.DestinationType
	// open makes a sink whose client comes from the pool. It reads files and
	// compiles templates, and does not dial. The settings are of the type that
	// New returns, and their Validate has found no fault.
	open func(p *Pool, d *keg.Destination) (keg.Sink, error)
}

// kinds are the types of destination that KEG reaches.
func kinds() []kind {
	return []kind{
		kafkaKind(),
		httpKind(),
		mqttKind(),
		discardKind(),
	}
}

// Types lists the types of destination that a [Pool] can open.
func Types() []keg.DestinationType {
	var types []keg.DestinationType
	for _, k := range kinds() {
		types = append(types, k.DestinationType)
	}
	return types
}

// Open makes the sink of a destination. It validates the settings and reads the
// files that they name, and does not dial: the client is opened by the first
// Send, and shared with every sink whose settings ask for an equal one. What is
// wrong with the settings is told as [*keg.FieldError]s, joined.
func (p *Pool) Open(d *keg.Destination) (keg.Sink, error) {
	for _, k := range kinds() {
		if k.Name != d.Type {
			continue
		}
		if err := d.Settings.Validate(); err != nil {
			return nil, err
		}
		return k.open(p, d)
	}
	return nil, fmt.Errorf("there is no destination type %q", d.Type)
}
