package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
)

// errGone tells of what is owed to a destination that is no more.
var errGone = errors.New("no route table has this destination any more")

// deliver makes one attempt at x, if its destination may be tried now, and
// settles how it went. It reports whether the destination said a word.
func (d *Dispatcher) deliver(l *lane, x *Delivery) (heard bool) {
	out, standing := d.outlets.Outlet(l.queue)
	switch standing {
	case Unseen:
		l.giveBack(x)
		return false
	case Gone:
		d.die(l, x, nil, keg.ReasonNoDestination, errGone)
		return false
	}
	defer out.Leave()
	l.widen(out.Width())
	retry := out.Retry()
	if retry.MaxAge > 0 && time.Since(x.Accepted) > retry.MaxAge {
		d.die(l, x, out, keg.ReasonExpired, fmt.Errorf("not delivered within max_age, %v%s", retry.MaxAge, lastWord(x)))
		return false
	}
	if wait := l.askedToWait(); wait > 0 {
		l.rest(x, wait)
		return false
	}
	breaker := out.Breaker()
	pass, ok, wait := breaker.Enter()
	if !ok {
		l.rest(x, wait)
		return false
	}
	began := time.Now()
	err := out.Attempt(d.attempts, x.Event)
	took := time.Since(began)
	result := attempt.Judge(err, took, out.Timeout())
	away := breaker.Leave(pass, result, err)
	if d.observer != nil {
		d.observer.Attempted(l.queue, out.Label(), x.Event, took, err)
	}
	if err == nil {
		l.settle(out.Label(), &Settlement{Delivery: x, Outcome: Done})
	} else {
		d.failed(l, x, out, began, err, away)
	}
	return result == attempt.Heard
}

// unreachableMost bounds the wait of a delivery whose part of a destination cannot
// be reached, while the rest of it can.
const unreachableMost = 10 * time.Second

// failed settles an attempt that met err, or puts the delivery back where the
// attempt does not count.
func (d *Dispatcher) failed(l *lane, x *Delivery, out Outlet, began time.Time, err error, away bool) {
	if x.First.IsZero() {
		x.First = began
	}
	x.Last, x.LastError, x.Status = began, OneLine(err.Error()), statusOf(err)
	retry := out.Retry()
	switch {
	case out.IsFault(err):
		x.Attempts++
		d.die(l, x, out, keg.ReasonInternal, err)
	case keg.IsPermanent(err):
		x.Attempts++
		d.die(l, x, out, keg.ReasonOf(err), err)
	case d.attempts.Err() != nil: // KEG is stopping, and the attempt was cut short
		l.settle(out.Label(), &Settlement{Delivery: x, Outcome: Return})
	// An outage is not the event's fault: no attempt is spent. Once the breaker
	// knows of it, what waits does so in memory; it goes last, so that another is
	// the next probe.
	case away:
		l.push(x)
	case keg.IsUnreachable(err):
		// Others may well reach their part of the destination (another partition,
		// another address) all the while: it waits as long again as it has waited.
		wait := attempt.Wait(retry, 1, nil) + min(began.Sub(x.First), unreachableMost)
		l.settle(out.Label(), &Settlement{Delivery: x, Outcome: Again, At: time.Now().Add(wait)})
	default:
		x.Attempts++
		if x.Attempts >= retry.MaxAttempts {
			d.die(l, x, out, keg.ReasonExhausted, err)
			return
		}
		if asked, ok := keg.RetryDelay(err); ok && asked > 0 {
			l.leaveAlone(min(asked, attempt.MaxRetryAfter))
		}
		at := time.Now().Add(attempt.Wait(retry, x.Attempts, err))
		l.settle(out.Label(), &Settlement{Delivery: x, Outcome: Again, At: at})
	}
}

// die makes a dead letter of x. One that was owed to a dead-letter destination
// leaves no other: the first is in the store still.
func (d *Dispatcher) die(l *lane, x *Delivery, out Outlet, reason keg.Reason, err error) {
	x.LastError = OneLine(err.Error())
	label := ""
	if out != nil {
		label = out.Label()
	}
	if x.Queue.DeadLetter {
		d.log.Error("a dead letter was not taken by its destination; it stays in the store", "id", x.Event.ID, "route", x.Queue.Route,
			"dead_letter", x.Queue.Destination, "reason", reason, "error", x.LastError)
		d.settler.enqueue(settling{Settlement: &Settlement{Delivery: x, Outcome: Done}, lane: l, label: label, refused: reason})
		return
	}
	s := &Settlement{Delivery: x, Outcome: Dead, Reason: reason}
	if out != nil {
		s.Then = out.Bury(&keg.DeadLetter{
			Event: x.Event, Route: x.Queue.Route, Destination: x.Queue.Destination, Reason: reason, Error: x.LastError,
			Status: x.Status, Attempts: x.Attempts, First: x.First, Last: x.Last, Accepted: x.Accepted, Died: time.Now(),
		})
	}
	d.log.Warn("a delivery was given up, and is a dead letter now", "id", x.Event.ID, "route", x.Queue.Route,
		"destination", x.Queue.Destination, "reason", reason, "attempts", x.Attempts, "error", x.LastError)
	l.settle(label, s)
}

func lastWord(x *Delivery) string {
	if x.LastError == "" {
		return ""
	}
	return "; the last attempt met: " + x.LastError
}

func statusOf(err error) int {
	var status interface{ HTTPStatus() int }
	if errors.As(err, &status) {
		return status.HTTPStatus()
	}
	return 0
}
