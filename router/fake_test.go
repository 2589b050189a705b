package router

import (
	"errors"
	"strings"

	"github.com/kong/keg"
)

// stream and hook stand for the destinations that KEG really has: enough
// settings of every kind that their tags can speak of.
type stream struct {
	Address  []string   `keg:"address,required,split" doc:"host:port of the brokers."`
	Topic    string     `keg:"topic,required" doc:"The topic that records go to."`
	Acks     string     `keg:"acks" default:"all" enum:"all,leader,none" doc:"Who has to have a record."`
	Largest  int        `keg:"max_message_bytes" default:"1000000" min:"1" max:"100000000" doc:"The largest record."`
	Password keg.Secret `keg:"password" doc:"The password."`
	TLS      *streamTLS `keg:"tls" doc:"How the connection is encrypted."`
}

type streamTLS struct {
	CA       string `keg:"ca" doc:"The authorities, as PEM or a path."`
	Insecure bool   `keg:"insecure_skip_verify" doc:"Whether certificates go unchecked."`
}

func (s *stream) Label() string {
	return "kafka://" + strings.Join(s.Address, ",") + "/" + s.Topic
}
func (s *stream) Acknowledges() bool { return s.Acks != "none" }
func (s *stream) Validate() error {
	var errs []error
	for _, a := range s.Address {
		if !strings.Contains(a, ":") {
			errs = append(errs, &keg.FieldError{Path: "address", Problem: `"` + a + `" is no host:port`})
		}
	}
	if strings.Contains(s.Topic, " ") {
		errs = append(errs, &keg.FieldError{Path: "topic", Problem: `"` + s.Topic + `" has a space`})
	}
	if s.TLS != nil && s.TLS.Insecure && s.TLS.CA != "" {
		errs = append(errs, &keg.FieldError{Path: "tls.ca", Problem: "is of no use with insecure_skip_verify"})
	}
	return errors.Join(errs...)
}

type hook struct {
	Address string            `keg:"address,required" doc:"The URL."`
	Method  string            `keg:"method" default:"POST" doc:"The method."`
	Query   map[string]string `keg:"query" doc:"What is added to the URL."`
	Rate    float64           `keg:"rate" min:"0.5" doc:"The most requests a second."`
	Private bool              `keg:"allow_private" default:"true" doc:"Whether private addresses are allowed."`
}

func (h *hook) Label() string      { return h.Address }
func (h *hook) Acknowledges() bool { return true }
func (h *hook) Validate() error    { return nil }

var known = []keg.DestinationType{
	{
		Name: "kafka", Doc: "A topic of Kafka.", New: func() keg.Settings { return &stream{} },
		Format: keg.FormatBinary, Formats: []keg.Format{keg.FormatBinary, keg.FormatStructured, keg.FormatRaw},
	},
	{
		Name: "http", Doc: "A web hook.", New: func() keg.Settings { return &hook{} },
		Format: keg.FormatStructured, Formats: []keg.Format{keg.FormatStructured, keg.FormatRaw},
	},
}
