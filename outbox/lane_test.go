package outbox

import (
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
)

// idle is a dispatcher that nobody has started, and its outlets are nowhere.
func idle(t *testing.T) *Dispatcher {
	d := NewDispatcher(DispatcherOptions{Outlets: unseen{}})
	t.Cleanup(func() {
		d.settler.stop()
		_ = d.settler.close(t.Context())
	})
	return d
}

type unseen struct{}

func (unseen) Outlet(Queue) (Outlet, Standing) { return nil, Unseen }

func TestAWordOfTheDestinationEndsARest(t *testing.T) {
	l := &lane{dispatcher: idle(t), workers: 2}
	x := &Delivery{ID: "1"}
	l.rest(x, time.Hour)
	if l.next(false) != nil {
		t.Fatal("it does not rest")
	}
	if l.next(true) != x || l.resting {
		t.Error("it rests though the destination is back")
	}
	l.leaveAlone(time.Hour)
	l.rest(x, time.Hour)
	if l.next(true) != nil {
		t.Error("the destination asked to be left alone, and is not")
	}
	l.timer.Stop()
}

func TestLanesThatHoldNothingAreRemoved(t *testing.T) {
	d := idle(t)
	e, q := &keg.Event{ID: "1"}, Queue{Destination: "a"}
	room, ok := d.Reserve(q, e)
	if !ok {
		t.Fatal("no room")
	}
	if d.sweep(); len(d.lanes) != 1 {
		t.Error("one that holds something is removed")
	}
	room.Free()
	d.lane(q).leaveAlone(time.Hour)
	if d.sweep(); len(d.lanes) != 1 {
		t.Error("a pause is forgotten")
	}
	d.lane(q).paused.Store(0)
	if d.sweep(); len(d.lanes) != 0 {
		t.Error("one that holds nothing stays")
	}
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for range 5000 {
				room, ok := d.Reserve(q, e)
				if !ok {
					t.Error("no room")
					return
				}
				room.Free()
			}
		})
	}
	senders.Go(func() {
		for range 5000 {
			d.sweep()
		}
	})
	senders.Wait()
	if l := d.lane(q); l.share.count.Load() != 0 || l.share.bytes.Load() != 0 {
		t.Errorf("room is counted at a lane that is gone: %d", l.share.count.Load())
	}
}
