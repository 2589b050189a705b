package sinks

import (
	"container/list"
	"sync"
	"time"
)

// flight is one record between the call that hands it to sarama and sarama's
// word about it. The record's bytes are sarama's for so long, also after a Send
// that did not wait: nobody writes to an event's data, so they are safe there.
type flight struct {
	done    chan error // buffered: whoever lands the flight does not wait for its Send
	since   time.Time
	number  int64 // of all flights, from 1
	alone   bool  // nothing else was in flight when it began
	element *list.Element
}

// flights are a producer's records in flight, in the order in which they began.
type flights struct {
	mu    sync.Mutex
	order list.List
	begun int64
}

func (f *flights) begin() *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun++
	x := &flight{done: make(chan error, 1), since: time.Now(), number: f.begun, alone: f.order.Len() == 0}
	x.element = f.order.PushBack(x)
	return x
}

// end takes a flight off the list, and reports whether it had the producer to
// itself all the time.
func (f *flights) end(x *flight) (alone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.order.Remove(x.element)
	return x.alone && x.number == f.begun
}

// oldest is how long the oldest flight has lasted, 0 without any.
func (f *flights) oldest() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if front := f.order.Front(); front != nil {
		return time.Since(front.Value.(*flight).since)
	}
	return 0
}
