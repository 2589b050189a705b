package embedded

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// What a delivery's row says of itself, one bit each.
const (
	flagInline    = 1 << iota // the event follows; else it has a row of its own
	flagShared                // the event's row is counted in a row of references
	flagKeyed                 // the delivery has a key
	flagRewritten             // the row was written more than once, and has a story
)

// record is a delivery's row.
type record struct {
	flags    byte
	accepted int64
	key      string
	event    uint64 // the sequence of the event's row, unless inline
	due      int64  // when it is due, unless it always was
	attempts int
	first    int64
	last     int64
	status   int
	problem  string
	inline   []byte // the event, where it is inline
}

func (r *record) append(b []byte) []byte {
	b = append(b, r.flags)
	b = binary.AppendVarint(b, r.accepted)
	if r.flags&flagKeyed != 0 {
		b = appendText(b, r.key)
	}
	if r.flags&flagInline == 0 {
		b = binary.AppendUvarint(b, r.event)
	}
	if r.flags&flagRewritten != 0 {
		b = binary.AppendVarint(b, r.due)
		b = binary.AppendVarint(b, int64(r.attempts))
		b = binary.AppendVarint(b, r.first)
		b = binary.AppendVarint(b, r.last)
		b = binary.AppendVarint(b, int64(r.status))
		b = appendText(b, r.problem)
	}
	return append(b, r.inline...)
}

// parseRecord reads a row. What it returns shares nothing with b but the event.
func parseRecord(b []byte) (r record, err error) {
	in := reader{b: b}
	r.flags = in.byte()
	r.accepted = in.varint()
	if r.flags&flagKeyed != 0 {
		r.key = in.text()
	}
	if r.flags&flagInline == 0 {
		r.event = in.uvarint()
	}
	if r.flags&flagRewritten != 0 {
		r.due = in.varint()
		r.attempts = int(in.varint())
		r.first, r.last = in.varint(), in.varint()
		r.status = int(in.varint())
		r.problem = in.text()
	}
	if r.flags&flagInline != 0 {
		r.inline = in.b
	}
	return r, in.err
}

// tells reports whether the row already says what d says of its attempts.
func (r *record) tells(d *outbox.Delivery) bool {
	return r.attempts == d.Attempts && r.first == nanos(d.First) && r.last == nanos(d.Last) &&
		r.status == d.Status && r.problem == d.LastError
}

// listen takes over what d says of its attempts.
func (r *record) listen(d *outbox.Delivery) {
	r.attempts, r.first, r.last, r.status, r.problem = d.Attempts, nanos(d.First), nanos(d.Last), d.Status, d.LastError
}

// delivery is the row as a dispatcher sees it.
func (r *record) delivery(id string, q outbox.Queue, e *keg.Event) *outbox.Delivery {
	return &outbox.Delivery{ID: id, Queue: q, Key: r.key, Event: e, Accepted: fromNanos(r.accepted),
		Attempts: r.attempts, First: fromNanos(r.first), Last: fromNanos(r.last), LastError: r.problem, Status: r.status}
}

// appendDead writes a dead letter's row: its queue and key, for a replay, its
// story and its event.
func appendDead(b []byte, q outbox.Queue, key string, d *keg.DeadLetter, event []byte) []byte {
	b = appendQueue(b, q)
	b = appendText(b, key)
	b = appendText(b, string(d.Reason))
	b = appendText(b, d.Error)
	b = binary.AppendVarint(b, int64(d.Status))
	b = binary.AppendVarint(b, int64(d.Attempts))
	for _, t := range []time.Time{d.First, d.Last, d.Accepted, d.Died} {
		b = binary.AppendVarint(b, nanos(t))
	}
	return append(b, event...)
}

// dead is a dead letter's row.
type dead struct {
	queue  outbox.Queue
	key    string
	letter keg.DeadLetter // without its event
	event  []byte
}

func parseDead(b []byte) (d dead, err error) {
	in := reader{b: b}
	d.queue, d.key = in.queue(), in.text()
	d.letter.Route, d.letter.Destination = d.queue.Route, d.queue.Destination
	d.letter.Reason = keg.Reason(in.text())
	d.letter.Error = in.text()
	d.letter.Status, d.letter.Attempts = int(in.varint()), int(in.varint())
	for _, t := range []*time.Time{&d.letter.First, &d.letter.Last, &d.letter.Accepted, &d.letter.Died} {
		*t = fromNanos(in.varint())
	}
	d.event = in.b
	return d, in.err
}

func appendQueue(b []byte, q outbox.Queue) []byte {
	b = appendText(appendText(appendText(b, q.Scope), q.Route), q.Destination)
	if q.DeadLetter {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errRecord = errors.New("a row of the store cannot be read")

// reader takes a row apart. After an error it yields zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() { r.b, r.err = nil, errRecord }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) queue() outbox.Queue {
	return outbox.Queue{Scope: r.text(), Route: r.text(), Destination: r.text(), DeadLetter: r.byte() == 1}
}
