package cloudevents

import (
	"context"
	"strings"
	"time"

	"github.com/kong/keg"
)

// Request is an HTTP request as far as an event may be made of it.
type Request struct {
	Method, Scheme, Host string
	Path                 string // as it was sent, escapes and all, without the query

	Headers keg.Headers
	Body    []byte

	// ID is the event's id where the sender gave none: Kong's request id, so
	// that a request which Kong runs again is the same event again.
	ID string
	// DeliveryID and DeliveryType are what a webhook's provider calls a plain
	// request's event, where it is known to be the provider; "" where it does
	// not say. The id comes before every other, since the provider's next attempt
	// has it too; the type where the request says none.
	DeliveryID, DeliveryType string
	// Attributes are what the entry itself knows of the request. Every event of it
	// gets them, whatever it says of itself; "" takes the attribute away. They
	// are extensions.
	Attributes map[string]string
	// Received is a plain request's time where the sender gave none; the zero
	// time means now.
	Received time.Time
}

// Options are what an entry sets for the requests it takes.
type Options struct {
	// Type and Source are those of plain requests that bring none.
	Type, Source string
	// MaxBytes limits the body, read and decompressed, and each event with its
	// attributes; 0 means [DefaultMaxBytes].
	MaxBytes int64
	// MaxBatch limits the events of one batch; 0 means [DefaultMaxBatch].
	MaxBatch int
}

// Batch is what one request brought: one event, or a batch of any number.
type Batch struct {
	Entries []Entry
	// IsBatch tells that the sender spoke of a batch, and is to be answered so.
	IsBatch bool
}

// Entry is one event, or why it is none.
type Entry struct {
	Event *keg.Event // nil where Err is not
	ID    string     // the event's, as far as it could be read
	Err   error
}

// Publish hands the good entries to handle in one call, and returns one receipt
// for each entry, in order; that of a bad one says why it is.
func (b Batch) Publish(ctx context.Context, handle keg.Handler) keg.Receipts {
	events := make([]*keg.Event, 0, len(b.Entries))
	for i := range b.Entries {
		if b.Entries[i].Err == nil {
			events = append(events, b.Entries[i].Event)
		}
	}
	var good keg.Receipts
	if len(events) > 0 {
		good = handle(ctx, events...)
	}
	if len(events) == len(b.Entries) && len(good) == len(events) {
		return good
	}
	all := make(keg.Receipts, len(b.Entries))
	for i, entry := range b.Entries {
		switch {
		case entry.Err != nil:
			all[i] = keg.Receipt{ID: entry.ID, Err: entry.Err}
		case len(good) > 0:
			all[i], good = good[0], good[1:]
		default:
			all[i] = keg.Receipt{ID: entry.ID, Err: errNoReceipt}
		}
	}
	return all
}

// FromRequest reads the events that a request carries: a batch, a structured
// event, a binary one, or, failing these, an event made of the request itself.
// In a batch a bad entry fails alone; the error is for the request as a whole.
//
// It takes the request over: headers and body become the events', and headers
// that are for one hop only are taken out of the map.
func FromRequest(r *Request, o Options) (Batch, error) {
	o = o.withDefaults()
	if err := checkHeaders(r.Headers); err != nil {
		return Batch{}, err
	}
	if err := decodeBody(r, o.MaxBytes); err != nil {
		return Batch{}, err
	}
	batch, err := read(r, o)
	if err != nil {
		return Batch{}, err
	}
	forwardable(r.Headers)
	for i := range batch.Entries {
		if entry := &batch.Entries[i]; entry.Err == nil {
			entry.ID = entry.Event.ID
			entry.Event.Headers = r.Headers
			takeHops(entry.Event)
			if hops := keg.Hops(entry.Event); hops > 0 { // it comes from a KEG
				keg.SetHops(entry.Event, hops+1)
			}
			inheritTrace(entry.Event, r.Headers)
			impose(entry.Event, r.Attributes)
			if entry.Err = check(entry.Event, o.MaxBytes); entry.Err != nil {
				entry.Event = nil
			}
		}
	}
	if !batch.IsBatch && batch.Entries[0].Err != nil {
		return Batch{}, batch.Entries[0].Err
	}
	return batch, nil
}

// impose gives e the attributes of its entry's own.
func impose(e *keg.Event, attributes map[string]string) {
	for name, value := range attributes {
		if value == "" {
			delete(e.Extensions, name)
			continue
		}
		if e.Extensions == nil {
			e.Extensions = make(map[string]string, len(attributes))
		}
		e.Extensions[name] = value
	}
}

// read picks the content mode (HTTP binding, section 3) and decodes by it.
func read(r *Request, o Options) (Batch, error) {
	contentType := r.Headers.Get("content-type")
	mode, err := modeOf(contentType)
	if err != nil {
		return Batch{}, err
	}
	if mode == batched {
		entries, err := fromJSONBatch(r.Body, o.MaxBatch)
		return Batch{Entries: entries, IsBatch: true}, err
	}
	var e *keg.Event
	switch {
	case mode == structured:
		e, err = decodeJSON(r.Body)
	case claimsBinary(r.Headers):
		e, err = fromBinary(r)
	default:
		e, err = fromPlain(r, o)
	}
	if err != nil {
		return Batch{}, err
	}
	return Batch{Entries: []Entry{{Event: e}}}, nil
}

type contentMode int

const (
	unstructured contentMode = iota // binary, or no CloudEvent at all
	structured
	batched
)

const (
	mediaTypeJSON  = "application/cloudevents+json"
	mediaTypeBatch = "application/cloudevents-batch+json"
	mediaPrefix    = "application/cloudevents"
	batchPrefix    = "application/cloudevents-batch"
)

// modeOf tells the content mode by Content-Type, in any case. A batch is looked
// for first, because its media type begins like that of one event.
func modeOf(contentType string) (contentMode, error) {
	if len(contentType) < len(mediaPrefix) || !strings.EqualFold(contentType[:len(mediaPrefix)], mediaPrefix) {
		return unstructured, nil
	}
	mediaType, parameters, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	mode := structured
	switch mediaType {
	case mediaTypeBatch, batchPrefix:
		mode = batched
	case mediaTypeJSON, mediaPrefix:
	default:
		return 0, &keg.UnsupportedError{Problem: "the media type is a CloudEvents format that KEG cannot read; send " +
			mediaTypeJSON + " or " + mediaTypeBatch}
	}
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		value = strings.Trim(value, `"`)
		if strings.EqualFold(name, "charset") && !strings.EqualFold(value, "utf-8") && !strings.EqualFold(value, "us-ascii") {
			return 0, &keg.UnsupportedError{Problem: "JSON events must be UTF-8; send charset=utf-8 or none"}
		}
	}
	return mode, nil
}
