package hub

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestGate(t *testing.T) {
	t.Run("an empty gate is empty when it is shut", func(t *testing.T) {
		var g gate
		<-g.shut()
		if g.enter() {
			t.Error("entered a gate that is shut")
		}
	})
	t.Run("the last one out closes it", func(t *testing.T) {
		var g gate
		if first, second := g.enter(), g.enter(); !first || !second {
			t.Fatal("not open")
		}
		empty := g.shut()
		g.leave()
		select {
		case <-empty:
			t.Error("empty with one inside")
		default:
		}
		g.leave()
		<-empty
		<-g.shut() // again: the same
	})
}

func TestGateNobodyIsInsideOnceItIsEmpty(t *testing.T) {
	for range 200 {
		var g gate
		var closed atomic.Bool
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for g.enter() {
					if closed.Load() {
						t.Error("inside after it was empty")
					}
					g.leave()
				}
			})
		}
		<-g.shut()
		closed.Store(true)
		all.Wait()
	}
}
