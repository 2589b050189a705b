package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/kong/keg"
)

// What a dispatcher holds in memory where [DispatcherOptions] say nothing else.
const (
	DefaultHeld      = 20_000
	DefaultHeldBytes = 48 << 20
)

// DispatcherOptions say what a dispatcher stands on.
type DispatcherOptions struct {
	Store   Store
	Outlets Outlets
	Log     *slog.Logger
	// Observer may be nil.
	Observer Observer
	// MaxHeld and MaxHeldBytes bound what is held in memory; 0 is the default.
	MaxHeld      int
	MaxHeldBytes int64
}

// Dispatcher brings stored deliveries to their destinations. Fresh ones are
// handed to it in memory; what memory has no room for it claims from the store
// when there is some. Each queue has a lane of its own, so that a slow or dead
// destination slows no other. It is safe for concurrent use.
type Dispatcher struct {
	store    Store
	outlets  Outlets
	log      *slog.Logger
	observer Observer
	budget   budget
	settler  settler
	unseen   unseenQueues

	hungry chan struct{} // a lane has room again for what the store has more of

	attempts context.Context // of every attempt
	cut      context.CancelFunc
	work     sync.WaitGroup // attempts under way
	feeding  chan struct{}  // closed when the feeder has ended
	stop     context.CancelFunc

	mu     sync.RWMutex
	lanes  map[Queue]*lane
	closed bool
}

// NewDispatcher returns a dispatcher that holds nothing yet; [Dispatcher.Start]
// sets it to work.
func NewDispatcher(o DispatcherOptions) *Dispatcher {
	d := &Dispatcher{
		store: o.Store, outlets: o.Outlets, log: o.Log, observer: o.Observer,
		hungry: make(chan struct{}, 1), feeding: make(chan struct{}), lanes: map[Queue]*lane{},
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.budget.maxCount, d.budget.maxBytes = int64(o.MaxHeld), o.MaxHeldBytes
	if o.MaxHeld <= 0 {
		d.budget.maxCount = DefaultHeld
	}
	if o.MaxHeldBytes <= 0 {
		d.budget.maxBytes = DefaultHeldBytes
	}
	d.attempts, d.cut = context.WithCancel(context.Background())
	d.unseen = unseenQueues{unseenAge, map[Queue]time.Time{}}
	d.settler.init(d)
	return d
}

// Start claims what waits in the store from now on. It is called once.
func (d *Dispatcher) Start() {
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go d.feed(ctx)
}

// Room is what one delivery takes of a dispatcher's memory: [Dispatcher.Reserve]
// gives it, and Hand or Free, one of them, once, ends the use of it.
type Room struct {
	lane   *lane
	weight int64
}

// Reserve takes room in memory for a delivery of e to q, and reports whether
// there was any.
func (d *Dispatcher) Reserve(q Queue, e *keg.Event) (Room, bool) {
	for d.lane(q) != nil {
		d.mu.RLock() // a lane with room taken is not swept
		l := d.lanes[q]
		if l == nil {
			d.mu.RUnlock()
			continue
		}
		r := Room{l, e.Weight()}
		taken := !l.more.Load() && d.budget.take(&l.share, r.weight)
		d.mu.RUnlock()
		return r, taken
	}
	return Room{}, false
}

// Hand fills the room with the delivery that it was reserved for, which a Put has
// handed out.
func (r Room) Hand(held *Delivery) { r.lane.push(held) }

// Free gives the room back.
func (r Room) Free() {
	if r.lane.free(r.weight) {
		signal(r.lane.dispatcher.hungry)
	}
}

// Wake looks again at what waits for a table that had not been seen.
func (d *Dispatcher) Wake() { signal(d.hungry) }

// Held counts the deliveries in memory, and the bytes of their events.
func (d *Dispatcher) Held() (deliveries, bytes int64) {
	return d.budget.count.Load(), d.budget.bytes.Load()
}

// lane returns the lane of a queue, made if need be; nil after Close.
func (d *Dispatcher) lane(q Queue) *lane {
	d.mu.RLock()
	l, closed := d.lanes[q], d.closed
	d.mu.RUnlock()
	if closed {
		return nil
	}
	if l != nil {
		return l
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l = d.lanes[q]; l == nil && !d.closed {
		l = &lane{dispatcher: d, queue: q}
		d.lanes[q] = l
	}
	return l
}

// sweep removes the lanes that hold nothing: there are as many queues as there
// ever were routes, and a lane is cheaply made again. Only the feeder calls it.
func (d *Dispatcher) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for q, l := range d.lanes {
		if l.share.count.Load() == 0 && l.askedToWait() <= 0 {
			delete(d.lanes, q)
		}
	}
}

// Close makes no new attempts, waits for those under way until ctx ends, cuts
// short what is left, and settles everything it can: what was held and not
// attempted goes back to the store. The store is the caller's to close.
func (d *Dispatcher) Close(ctx context.Context) error {
	d.mu.Lock()
	d.closed = true
	lanes := d.lanes
	d.mu.Unlock()
	if d.stop != nil {
		d.stop()
		<-d.feeding
	}
	for _, l := range lanes {
		l.shut()
	}
	ended := make(chan struct{})
	go func() {
		d.work.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = errors.New("attempts at stored deliveries were cut short; they stay in the store")
		d.cut()
		select {
		case <-ended:
		case <-time.After(cutGrace):
			err = errors.New("attempts at stored deliveries did not end; they stay in the store")
		}
	}
	d.cut()
	return errors.Join(err, d.settler.close(ctx))
}

// cutGrace is how long is waited for attempts that were told to stop.
const cutGrace = time.Second

// signal wakes whoever listens, once.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
