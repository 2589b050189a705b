package hub

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/kong/keg"
)

func TestAdmission(t *testing.T) {
	const size = 1
	a, b, c := idle("a"), idle("b"), idle("c")
	// fill admits to o until it is refused, and returns how many it was.
	fill := func(bounds *admission, size int64, o *outlet) (n int) {
		for bounds.admit(legsTo(o), size) == nil {
			n++
		}
		return n
	}
	t.Run("a dead destination takes half, a second one a third of all", func(t *testing.T) {
		bounds := &admission{maxDeliveries: 900, maxBytes: 1 << 30}
		if n := fill(bounds, size, a); n != 450 {
			t.Errorf("the first took %d of 900", n)
		}
		if n := fill(bounds, size, b); n != 225 {
			t.Errorf("the second took %d of 900", n)
		}
		if err := bounds.admit(legsTo(c), size); err != nil {
			t.Errorf("a live destination was refused: %v", err)
		}
	})
	t.Run("bytes are shared alike", func(t *testing.T) {
		a, b := idle("a"), idle("b")
		bounds := &admission{maxDeliveries: 1 << 30, maxBytes: 1000}
		if n := fill(bounds, 100, a); n != 5 {
			t.Errorf("the first took %d of 10", n)
		}
		if err := bounds.admit(legsTo(b), 100); err != nil {
			t.Errorf("a live destination was refused: %v", err)
		}
	})
	t.Run("an event that is larger than the bound is admitted when it is alone", func(t *testing.T) {
		a, b := idle("a"), idle("b")
		bounds := &admission{maxDeliveries: 10, maxBytes: 10}
		if err := bounds.admit(legsTo(a), 100); err != nil {
			t.Error(err)
		}
		if err := bounds.admit(legsTo(b), 1); err == nil {
			t.Error("another was admitted beside it")
		}
	})
	t.Run("a bound of one admits one", func(t *testing.T) {
		bounds := &admission{maxDeliveries: 1, maxBytes: 1}
		if n := fill(bounds, size, idle("a")); n != 1 {
			t.Errorf("admitted %d", n)
		}
	})
	t.Run("all of an event's destinations or none", func(t *testing.T) {
		a, b := idle("a"), idle("b")
		bounds := &admission{maxDeliveries: 10, maxBytes: 1 << 30}
		fill(bounds, size, b)
		err := bounds.admit(legsTo(a, b), size)
		var busy *keg.BusyError
		if !errors.As(err, &busy) || busy.After <= 0 || !strings.Contains(err.Error(), "fake://b") {
			t.Errorf("%v", err)
		}
		if n := a.lane.deliveries.Load(); n != 0 {
			t.Errorf("%d deliveries are left at the destination that had room", n)
		}
		if n, inB := bounds.deliveries.Load(), b.lane.deliveries.Load(); n != inB {
			t.Errorf("%d in flight, %d of them at b", n, inB)
		}
	})
	t.Run("what ends makes room", func(t *testing.T) {
		a := idle("a")
		bounds := &admission{maxDeliveries: 4, maxBytes: 1 << 30}
		fill(bounds, size, a)
		bounds.free(a.lane, size)
		if err := bounds.admit(legsTo(a), size); err != nil {
			t.Error(err)
		}
	})
}

func idle(name string) *outlet {
	return &outlet{destination: &keg.Destination{Name: "fake://" + name}, lane: &lane{}}
}

func TestAdmissionNeverAdmitsTooMany(t *testing.T) {
	bounds := &admission{maxDeliveries: 8, maxBytes: 1 << 30}
	outlets := []*outlet{idle("a"), idle("b"), idle("c")}
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for i := range 2000 {
				o := outlets[(g+i)%len(outlets)]
				if bounds.admit(legsTo(o), 10) != nil {
					continue
				}
				// Refused ones are counted for a moment, too: at most one a goroutine.
				if n := bounds.deliveries.Load(); n > 8+16 {
					t.Errorf("%d in flight", n)
				}
				bounds.free(o.lane, 10)
			}
		})
	}
	all.Wait()
	if n, b := bounds.deliveries.Load(), bounds.bytes.Load(); n != 0 || b != 0 {
		t.Errorf("%d deliveries and %d bytes are left", n, b)
	}
}

func legsTo(outlets ...*outlet) []leg {
	var legs []leg
	for _, o := range outlets {
		legs = append(legs, leg{outlet: o})
	}
	return legs
}
