package sources

import (
	"sync/atomic"
	"testing"
)

func TestNobodyIsInsideAClosedGate(t *testing.T) {
	var g gate
	var inside atomic.Int32
	started, done := make(chan struct{}, 8), make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for first := true; g.enter(); first = false {
				inside.Add(1)
				if first {
					started <- struct{}{}
				}
				inside.Add(-1)
				g.leave()
			}
		}()
	}
	for range 8 {
		<-started
	}
	g.close()
	if n := inside.Load(); n != 0 {
		t.Errorf("%d are inside", n)
	}
	if g.enter() {
		t.Error("a closed gate let somebody in")
	}
	for range 8 {
		<-done
	}
}
