package cloudevents

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kong/keg"
)

// Record is a Kafka record, as one was read.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	// Brokers is the cluster's address, `host:port[,host:port]`; its first
	// names the source of records that are no CloudEvents.
	Brokers    string
	Key, Value []byte
	Headers    []Header
	Time       time.Time
}

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// ToKafka writes e as the headers and the value of a Kafka record (Kafka
// binding, section 3). A binary event without data has a nil value, Kafka's
// tombstone. What is left of the event's own headers goes along. The value may
// be the event's data itself. The record's key is the destination's matter.
//
// Of raw data without a content type nothing is said, so that a header which an
// entry has chosen to send on may be one that describes a message.
func ToKafka(e *keg.Event, format keg.Format) ([]Header, []byte, error) {
	headers := make([]Header, 0, 8+len(e.Extensions)+len(e.Headers))
	add := func(key, value string) { headers = append(headers, Header{key, []byte(value)}) }
	label := func(contentType string) {
		if contentType != "" {
			add("content-type", contentType)
		}
	}
	value := e.Data
	switch writtenAs(e, format) {
	case keg.FormatBinary:
		each(e, func(name, value string) { add("ce_"+name, value) })
		label(contentType(e))
	case keg.FormatStructured:
		label(mediaTypeJSON + "; charset=utf-8")
		value = AppendJSON(nil, e)
	case keg.FormatRaw: // nothing that the event does not have is said of it
		label(e.DataContentType)
	default:
		return nil, nil, unknownFormat(format)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if keg.OneHop(name) || keg.OneMessage(name) && !describesData(e, name, format) || !isToken(name) {
			continue
		}
		key, story := name, isOurs(name)
		if story {
			key = strings.ReplaceAll(name, "-", "_")
		}
		for _, value := range e.Headers[name] {
			if story {
				value = oneLine(value)
			}
			if isFieldText(value) {
				add(key, value)
			}
		}
	}
	return headers, value, nil
}

// describesData reports whether a header that describes a message may stand
// beside data of which the event says nothing. None may look like a CloudEvent's
// attribute.
func describesData(e *keg.Event, name string, format keg.Format) bool {
	return format == keg.FormatRaw && e.DataContentType == "" && !strings.HasPrefix(name, "ce-") && !strings.HasPrefix(name, "ce_")
}
