package sources

import (
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/kong/keg"
)

// HTTPSettings are the settings of a source of type "http": a listener of its
// own. Zero limits are the defaults.
type HTTPSettings struct {
	Address          string        `keg:"address,required" doc:"Where to listen: host:port, or a port alone to be reached from this machine alone."`
	MaxConnections   int           `keg:"max_connections" default:"1024" min:"1" max:"1000000" doc:"How many connections are held at a time; the rest wait."`
	MaxBufferedBytes int64         `keg:"max_buffered_bytes" default:"268435456" min:"1048576" doc:"How many bytes of bodies are held at a time; a request beyond is answered 503."`
	HeaderTimeout    time.Duration `keg:"header_timeout" default:"5s" min:"10ms" max:"1h" doc:"How long a client may take for a request's head."`
	ReadTimeout      time.Duration `keg:"read_timeout" default:"30s" min:"10ms" max:"1h" doc:"How long a client may take for a whole request."`
	IdleTimeout      time.Duration `keg:"idle_timeout" default:"60s" min:"10ms" max:"24h" doc:"How long a client may take between two requests."`
	DrainTimeout     time.Duration `keg:"drain_timeout" default:"15s" min:"10ms" max:"1h" doc:"How long requests under way get when KEG stops."`
}

func httpKind() kind {
	return kind{
		SourceType: keg.SourceType{
			Name: "http",
			Doc:  "A listener of KEG's own that takes events by POST, one or a batch, and answers as the plugin does.",
			New:  func() keg.SourceSettings { return &HTTPSettings{} },
		},
		open: openHTTP,
	}
}

// Listener is the source that listens on address, host:port or a port alone.
func Listener(address string) keg.SourceConfig {
	return config("http", &HTTPSettings{Address: address})
}

// Label is http://host:port.
func (h *HTTPSettings) Label() string { return "http://" + h.listen() }

// listen is the address with its host: loopback unless told otherwise, since
// what anyone may reach is for the operator to say.
func (h *HTTPSettings) listen() string {
	if _, err := strconv.ParseUint(h.Address, 10, 64); err == nil {
		return net.JoinHostPort(loopback, h.Address)
	}
	return h.Address
}

// Validate reports every setting that is wrong.
func (h *HTTPSettings) Validate() error {
	var errs []error
	if h.Address == "" {
		errs = append(errs, &keg.FieldError{Path: "address", Problem: "is required: host:port, or a port alone"})
	} else if err := checkAddress(h.listen(), 0); err != nil {
		errs = append(errs, &keg.FieldError{Path: "address", Problem: err.Error()})
	}
	for _, n := range []struct {
		path  string
		value int64
	}{
		{"max_connections", int64(h.MaxConnections)}, {"max_buffered_bytes", h.MaxBufferedBytes}, {"header_timeout", int64(h.HeaderTimeout)},
		{"read_timeout", int64(h.ReadTimeout)}, {"idle_timeout", int64(h.IdleTimeout)}, {"drain_timeout", int64(h.DrainTimeout)},
	} {
		if n.value < 0 {
			errs = append(errs, &keg.FieldError{Path: n.path, Problem: "must not be negative"})
		}
	}
	return errors.Join(errs...)
}

func openHTTP(c keg.SourceConfig, o Options) (keg.Source, error) {
	h := c.Settings.(*HTTPSettings)
	s := &HTTP{
		Listen: h.listen(), Events: o.Events, Log: o.Log,
		MaxConnections: h.MaxConnections, MaxBuffered: h.MaxBufferedBytes,
		HeaderTimeout: h.HeaderTimeout, ReadTimeout: h.ReadTimeout, IdleTimeout: h.IdleTimeout, DrainTimeout: h.DrainTimeout,
	}
	if o.Rejected != nil {
		s.Rejected = func(err error) { o.Rejected(c, err) }
	}
	if o.Ready != nil {
		s.Ready = func(address net.Addr) { o.Ready(c, address) }
	}
	return s, nil
}
