package sources

import (
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// Spec is one source, as KEG_EVENT_SOURCES names it.
type Spec struct {
	Protocol string // "http", "kafka" or "mqtt"
	Address  string // host:port, to listen on or to connect to
	Topics   []string
	Group    string
}

// String is the spec in the long form that [Parse] reads.
func (s Spec) String() string {
	text := s.Protocol + "://" + s.Address
	separator := "?"
	if len(s.Topics) > 0 {
		text += separator + "topics=" + strings.Join(s.Topics, "|")
		separator = "&"
	}
	if s.Group != "" {
		text += separator + "group=" + s.Group
	}
	return text
}

// Options are what a node gives to each of its sources.
type Options struct {
	Events cloudevents.Options
	Log    *slog.Logger
	// Ready, where it is set, is called once, when the source listens at
	// address.
	Ready func(s Spec, address net.Addr)
}

// Source builds the source that s names. It neither listens nor dials.
func (s Spec) Source(o Options) (keg.Source, error) {
	if s.Protocol != "http" {
		return nil, fmt.Errorf("%s sources are not available in this version; %q cannot be started: "+
			"take it out of KEG_EVENT_SOURCES, and send events by HTTP (http:8080) or through Kong", s.Protocol, s)
	}
	source := &HTTP{Listen: s.Address, Events: o.Events, Log: o.Log}
	if o.Ready != nil {
		source.Ready = func(address net.Addr) { o.Ready(s, address) }
	}
	return source, nil
}
