package server

import (
	"fmt"
	"testing"
	"time"
)

func TestTheSameFailureIsLoggedOnceAMinute(t *testing.T) {
	f := newFailures(time.Minute)
	now := time.Now()
	if left, ok := f.admit("a", now); !ok || left != 0 {
		t.Errorf("the first: %d, %v", left, ok)
	}
	for range 5 {
		if _, ok := f.admit("a", now.Add(time.Second)); ok {
			t.Error("one of the next was logged")
		}
	}
	if _, ok := f.admit("b", now); !ok {
		t.Error("another failure was not logged")
	}
	if left, ok := f.admit("a", now.Add(time.Minute)); !ok || left != 5 {
		t.Errorf("after a minute: %d left out, %v; want 5, true", left, ok)
	}
	if left, ok := f.admit("a", now.Add(2*time.Minute)); !ok || left != 0 {
		t.Errorf("after two: %d left out, %v; want 0, true", left, ok)
	}
}

func TestFailuresThatAllDifferAreNotRememberedForEver(t *testing.T) {
	f := newFailures(time.Minute)
	for i := range 100_000 {
		if _, ok := f.admit(fmt.Sprint(i), time.Now()); !ok {
			t.Fatal("a new failure was not logged")
		}
	}
	if len(f.seen) > mostFailures {
		t.Errorf("%d are remembered", len(f.seen))
	}
}
