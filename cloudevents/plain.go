package cloudevents

import (
	"cmp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kong/keg"
)

// defaultType is the type of a request that says none, at an entry that sets none.
const defaultType = "http.request"

// fromPlain makes an event of a request that is no CloudEvent. Where it says
// who it is, headers come before members of a JSON body, and both before what
// a verified provider calls it and what the entry sets; but a provider's id
// comes first.
func fromPlain(r *Request, o Options) (*keg.Event, error) {
	e := &keg.Event{
		DataContentType: r.Headers.Get("content-type"),
		Subject:         r.Headers.Get("x-event-subject"),
		Time:            r.Received,
		Data:            r.Body,
	}
	var inBody bodyAttributes
	if e.Data != nil && e.JSONData() {
		var err error
		inBody, err = readMembers(e.Data)
		switch {
		case err == nil:
		case e.DataContentType == "": // nobody said that it was JSON
			inBody = bodyAttributes{}
		default:
			return nil, err
		}
	}
	e.Type = cmp.Or(r.Headers.Get("x-event-type"), inBody.eventType, r.DeliveryType, o.Type, defaultType)
	e.Source = cmp.Or(r.Headers.Get("x-event-source"), inBody.eventSource, o.Source)
	if e.Source == "" {
		e.Source = requestSource(r)
	}
	e.ID = cmp.Or(r.DeliveryID, r.Headers.Get("x-event-id"), inBody.eventID, idempotencyKey(r.Headers), r.ID)
	if e.ID == "" {
		e.ID = newID()
	}
	if at := r.Headers.Get("x-event-time"); at != "" {
		if err := assign(e, "time", at); err != nil {
			return nil, &keg.InvalidError{Attribute: "x-event-time", Problem: err.(*keg.InvalidError).Problem}
		}
	}
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	return e, nil
}

// idempotencyKey is that header, if it can be an id. Unlike X-Event-Id it was
// not meant for KEG, so that one which cannot is no mistake.
func idempotencyKey(h keg.Headers) string {
	key := h.Get("idempotency-key")
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = unquote(key[1 : len(key)-1]) // its draft makes it a quoted string
	}
	if !isAttributeText(key) {
		return ""
	}
	return key
}

// requestSource names a request's origin by its address, `//host/path`.
func requestSource(r *Request) string {
	var b strings.Builder
	b.Grow(3 + len(r.Host) + len(r.Path))
	b.WriteString("//")
	b.WriteString(r.Host)
	if !strings.HasPrefix(r.Path, "/") {
		b.WriteByte('/')
	}
	for i := range len(r.Path) {
		c := r.Path[i]
		if c <= ' ' || c == '"' || c == '#' || c == '?' || c > '~' || c == '%' && !escapeAt(r.Path, i) {
			writeEscaped(&b, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// newID is an id for an event that brought none: a UUIDv7, so that ids made one
// after another sort that way.
func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString() // panics where the system has no randomness at all
	}
	return id.String()
}
