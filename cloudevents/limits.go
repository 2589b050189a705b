package cloudevents

import (
	"errors"

	"github.com/kong/keg"
)

// The limits that hold where an entry sets no other.
const (
	DefaultMaxBytes = 1 << 20
	DefaultMaxBatch = 1000
)

// The limits that nobody sets: an event beyond them is a mistake or an attack.
const (
	maxDepth         = 64       // nesting of JSON data
	maxExtensions    = 256      // of one event
	maxExtensionName = 64       // bytes; what Validate allows, before it is put into any message
	maxHeaderFields  = 1000     // of one request; Kong shows no more either
	maxHeaderBytes   = 64 << 10 // of one request, names and values
)

// errNoReceipt tells of a handler that broke its contract.
var errNoReceipt = errors.New("the event was handed on, and no receipt came back")

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = DefaultMaxBatch
	}
	return o
}

// check holds an event that was read to the rules of CloudEvents and to size.
func check(e *keg.Event, maxBytes int64) error {
	if err := e.Validate(); err != nil {
		return err
	}
	size := len(e.ID) + len(e.Source) + len(e.Type) + len(e.Subject) +
		len(e.DataContentType) + len(e.DataSchema) + len(e.Data)
	for name, value := range e.Extensions {
		size += len(name) + len(value)
	}
	if int64(size) > maxBytes {
		return &keg.TooLargeError{What: "event", Limit: maxBytes, Unit: "bytes"}
	}
	return nil
}

// checkHeaders bounds the header section of a request, and refuses one that two
// readers may take for two different requests: with two content types, or with a
// Connection header that takes away what says what the body is and where it ends.
func checkHeaders(h keg.Headers) error {
	fields, size := 0, 0
	for name, values := range h {
		fields += len(values)
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	switch {
	case fields > maxHeaderFields:
		return &keg.TooLargeError{What: "header section", Limit: maxHeaderFields, Unit: "fields"}
	case size > maxHeaderBytes:
		return &keg.TooLargeError{What: "header section", Limit: maxHeaderBytes, Unit: "bytes"}
	}
	if len(h["content-type"]) > 1 {
		return &keg.InvalidError{Attribute: "content-type", Problem: "was sent more than once"}
	}
	for name := range connectionOptions(h) {
		switch name {
		case "content-length", "transfer-encoding", "content-encoding", "content-type", "host":
			return &keg.InvalidError{Attribute: "connection", Problem: "must not name " + name}
		}
	}
	return nil
}
