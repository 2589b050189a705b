package plugins

import (
	"github.com/kong/keg"
)

// What a record's event has beside its data is for KEG's own logs, traces and
// dead letters: the record's format is raw.

const (
	maxKeyBytes = 4 << 10
	// recordFrame is what Kafka adds to a record, and more.
	recordFrame = 128
	headerFrame = 16
)

// setKey gives an event its record's key, which a client chose; none where it is
// empty.
func setKey(e *keg.Event, key string) error {
	if key == "" {
		return nil
	}
	if len(key) > maxKeyBytes {
		return &keg.TooLargeError{What: "key", Limit: maxKeyBytes, Unit: "bytes"}
	}
	setExtension(e, keyAttribute, asUTF8(key))
	return e.Validate()
}

func setExtension(e *keg.Event, name, value string) {
	if e.Extensions == nil {
		e.Extensions = make(map[string]string, 2)
	}
	e.Extensions[name] = value
}

// fits refuses a record that the destination would refuse, before anybody is
// told that it is on its way.
func fits(e *keg.Event, limit int) error {
	size := recordFrame + len(e.Data) + len(e.Extensions[keyAttribute])
	for name, values := range e.Headers {
		for _, value := range values {
			size += headerFrame + len(name) + len(value)
		}
	}
	if size > limit {
		return &keg.TooLargeError{What: "record", Limit: int64(limit), Unit: "bytes (producer_request_limits_bytes_per_request)"}
	}
	return nil
}
