package plugins

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/kong/keg"
	"github.com/kong/keg/kong/server"
)

// entryOverhead is about what a waiting entry takes beside its text.
const entryOverhead = 128

// Log takes Kong's log entry, in one exchange, and leaves the rest to the
// background.
func (l *eventLogInstance) Log(_ context.Context, c *server.Call) error {
	if l.sampling <= 0 {
		return nil
	}
	b := c.Batch()
	serialized := b.LogSerialize()
	if err := b.Do(); err != nil {
		return err
	}
	entry := serialized.Value()
	if l.sampling < 1 && !sampled(requestIDOf(entry), l.sampling) {
		return nil
	}
	err := l.fits(len(entry))
	if err == nil {
		err = l.queue.put(loggedRequest{entry, time.Now()}, int64(len(entry)+entryOverhead))
	}
	if err != nil {
		l.lose(entry, err)
	}
	return nil
}

func (l *eventLogInstance) fits(size int) error {
	if int64(size) > l.maxBytes {
		return &keg.TooLargeError{What: "log entry", Limit: l.maxBytes, Unit: "bytes"}
	}
	return nil
}

// lose counts an entry that does not come to the hub.
func (l *eventLogInstance) lose(entry string, err error) {
	l.rejected(eventLogName, err)
	l.room.drop(eventLogName, func() string { return requestIDOf(entry) }, err)
}

// lost counts an event that the hub has refused, and counted so.
func (l *eventLogInstance) lost(id string, err error) {
	l.room.drop(eventLogName, func() string { return id }, err)
}

// event makes an event of an entry.
func (l *eventLogInstance) event(logged loggedRequest) (*keg.Event, error) {
	entry, err := l.rules.read([]byte(logged.entry))
	if err != nil {
		return nil, err
	}
	if err := l.fits(len(entry.data)); err != nil { // custom fields make it larger
		return nil, err
	}
	e := &keg.Event{
		ID: entry.id, Source: l.node, Type: l.eventType, Subject: entry.route, Time: logged.ended.UTC(),
		DataContentType: "application/json", Data: entry.data,
	}
	if e.ID == "" { // a plugin has taken it out of the entry
		e.ID = uuid.Must(uuid.NewV7()).String()
	}
	if entry.service != "" {
		e.Source += "/services/" + url.PathEscape(entry.service)
	}
	if entry.started > 0 {
		e.Time = time.UnixMilli(entry.started).UTC()
	}
	if entry.hops != "" { // a destination of KEG's lies behind Kong: find out where that is a circle
		e.Headers = keg.Headers{keg.HopsHeader: {entry.hops}}
		keg.SetHops(e, keg.Hops(e)+1)
	}
	return e, e.Validate()
}

// publish makes events of entries and hands them to the hub.
func (l *eventLogInstance) publish(ctx context.Context, logged []loggedRequest) {
	events := make([]*keg.Event, 0, len(logged))
	for _, one := range logged {
		e, err := l.event(one)
		if err != nil {
			l.lose(one.entry, err)
			continue
		}
		events = append(events, e)
	}
	if l.ack == keg.AckStored {
		l.store(ctx, events)
		return
	}
	for _, e := range events { // which blocks for nothing
		if err := l.port.Publish(ctx, e)[0].Err; err != nil {
			l.lost(e.ID, err)
		}
	}
}

const (
	// storePatience is for how long entries wait for a store that takes nothing.
	// Others wait behind them, as far as there is room.
	storePatience = time.Minute
	// storePause is the least between two attempts to store the same entries.
	storePause = 100 * time.Millisecond
)

// store hands events to the store, again where it takes nothing now.
func (l *eventLogInstance) store(ctx context.Context, events []*keg.Event) {
	for until := time.Now().Add(storePatience); len(events) > 0; {
		var again []*keg.Event
		after := storePause
		last := ctx.Err() != nil || time.Now().After(until)
		for i, r := range l.port.Publish(ctx, events...) {
			busy, isBusy := errors.AsType[*keg.BusyError](r.Err)
			switch {
			case r.Err == nil:
				continue
			case last || !isBusy && !errors.Is(r.Err, context.DeadlineExceeded):
				l.lost(r.ID, r.Err)
				continue
			case isBusy:
				after = max(after, busy.After)
			}
			again = append(again, events[i])
		}
		if events = again; len(events) == 0 {
			return
		}
		select {
		case <-time.After(after):
		case <-ctx.Done():
		}
	}
}
