package outbox

import (
	"sync"
	"sync/atomic"
	"time"
)

// lane is what is held of one queue, and the workers that bring it away: as many
// as the destination takes at once, none while it is away.
type lane struct {
	dispatcher *Dispatcher
	queue      Queue
	share      share

	width  atomic.Int32 // the outlet's, as it was last seen; 0 before
	paused atomic.Int64 // until when the destination has asked to be left alone; Unix nanoseconds
	more   atomic.Bool  // the store has deliveries that there was no room for

	mu      sync.Mutex
	buffer  deque
	workers int
	coming  bool // the last worker that was started has not taken anything yet
	limit   int  // of workers, since the destination asked to be left alone; 0: none but its width
	answers int  // since limit grew
	resting bool // no worker starts before the timer fires
	timer   *time.Timer
	down    bool
}

// free gives back the room of one delivery, and reports whether the store has
// more for the lane.
func (l *lane) free(weight int64) (more bool) {
	l.dispatcher.budget.free(&l.share, weight)
	return l.more.Load()
}

// settle tells the store how a delivery went; label is that of the outlet, "" where
// there was none.
func (l *lane) settle(label string, settlement *Settlement) {
	l.dispatcher.settler.enqueue(settling{Settlement: settlement, lane: l, label: label})
}

// giveBack returns a delivery to the store.
func (l *lane) giveBack(d *Delivery) { l.settle("", &Settlement{Delivery: d, Outcome: Return}) }

// push takes a delivery in, and starts a worker for it where one is due.
func (l *lane) push(d *Delivery) {
	l.mu.Lock()
	if l.down {
		l.mu.Unlock()
		l.giveBack(d)
		return
	}
	l.buffer.pushBack(d)
	l.staff()
	l.mu.Unlock()
}

// staff starts one more worker, if there is work for it. The next is not started
// before that one has taken something: a destination that is quick needs few for
// much. l.mu is held.
func (l *lane) staff() {
	if l.coming || l.resting || l.down || l.buffer.len() == 0 || l.workers >= l.most() {
		return
	}
	l.workers++
	l.coming = true
	l.dispatcher.work.Add(1)
	go l.run()
}

// most is how many workers the lane may have. l.mu is held.
func (l *lane) most() int {
	most := max(int(l.width.Load()), 1)
	if l.limit > 0 {
		most = min(most, l.limit)
	}
	return most
}

// grow counts an answer of the destination. After as many as there may be workers
// there may be one more. l.mu is held.
func (l *lane) grow() {
	if l.limit == 0 {
		return
	}
	if l.answers++; l.answers >= l.limit {
		l.limit, l.answers = l.limit+1, 0
	}
	if l.limit >= int(l.width.Load()) {
		l.limit = 0
	}
}

// widen notes how many attempts the destination takes at once, and lets more
// workers begin where it takes more than was known.
func (l *lane) widen(width int) {
	if before := l.width.Swap(int32(width)); int(before) >= width {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.staff()
}

// run is a worker: it makes attempts until nothing is left, or the lane rests.
func (l *lane) run() {
	defer l.dispatcher.work.Done()
	for d := l.first(); d != nil; {
		d = l.next(l.dispatcher.deliver(l, d))
	}
}

// first takes a delivery out for a worker that has come.
func (l *lane) first() *Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.coming = false
	return l.take()
}

// next takes the next delivery out for a worker. One that has just heard of the
// destination ends a rest in which it was thought to be away.
func (l *lane) next(heard bool) *Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	if heard {
		l.grow()
		if l.resting && l.askedToWait() <= 0 {
			l.timer.Stop() // too late, it wakes a worker too early, which rests again
			l.resting = false
		}
	}
	return l.take()
}

// take takes the next delivery out for a worker, which ends without one. A lane
// that gets empty asks for more, where the store has some. l.mu is held.
func (l *lane) take() *Delivery {
	if l.resting || l.down || l.buffer.len() == 0 || l.workers > l.most() {
		l.workers--
		l.ask()
		return nil
	}
	d := l.buffer.popFront()
	l.staff() // each worker brings the next, so that they grow as long as there is work
	l.ask()
	return d
}

// ask wakes the feeder when there is room again for what the store has. l.mu is
// held.
func (l *lane) ask() {
	if l.more.Load() && l.buffer.len() <= claimAtOnce/2 {
		signal(l.dispatcher.hungry)
	}
}

// rest puts a delivery that was not attempted back where it was, and lets no
// worker start for a while.
func (l *lane) rest(d *Delivery, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		l.giveBack(d)
		return
	}
	l.buffer.pushFront(d)
	if l.resting {
		return
	}
	l.resting = true
	l.timer = time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.resting = false
		l.staff()
	})
}

// leaveAlone notes that the destination has asked for a pause. It takes less than
// it was sent, so that after it one worker begins, lest all that waits spends its
// attempts on being told so.
func (l *lane) leaveAlone(wait time.Duration) {
	until := time.Now().Add(wait).UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused.Store(max(l.paused.Load(), until))
	l.limit, l.answers = 1, 0
}

// askedToWait is how long the destination is still to be left alone.
func (l *lane) askedToWait() time.Duration {
	until := l.paused.Load()
	if until == 0 {
		return 0
	}
	return time.Until(time.Unix(0, until))
}

// shut gives what is held and not under way back to the store.
func (l *lane) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	if l.timer != nil {
		l.timer.Stop()
	}
	for l.buffer.len() > 0 {
		d := l.buffer.popFront()
		l.giveBack(d)
	}
}
