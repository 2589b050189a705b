package hub

import (
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
)

func TestDataThatBreaksASchemaIsADeadLetterFromTheStart(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	if err := k.SetTable(parse(t, withSchema("dead_letter", grave))); err != nil {
		t.Fatal(err)
	}
	k.Start()
	p := k.port(t, PortOptions{})
	e := event("1")
	e.Data = []byte(`{"n":"x"}`)
	if r := p.Publish(t.Context(), e)[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	until(t, "the other route and the grave have it", func() bool { return len(k.got("b")) == 1 && len(k.got("grave")) == 1 })
	dead := deadOf(t, k)
	if len(dead) != 1 || dead[0].Reason != keg.ReasonSchema || dead[0].Route != "orders" || dead[0].Destination != "fake://a" || !strings.Contains(dead[0].Error, "/n") {
		t.Fatalf("%+v", dead)
	}
	if n, err := k.Hub.store.Replay(t.Context(), dead[0].ID); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	until(t, "the replay brings it to its destination", func() bool { return len(k.got("a")) == 1 })
}

// A repeat is a repeat, whatever became of the first: nobody gets its story twice.
func TestARepeatOfWhatBreaksASchemaIsBuriedOnce(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	if err := k.SetTable(parse(t, withSchema("dead_letter", grave))); err != nil {
		t.Fatal(err)
	}
	k.Start()
	p := k.port(t, PortOptions{Dedupe: time.Hour})
	for i, repeats := range []bool{false, true, true} {
		e := event("1")
		e.Data = []byte(`{"n":"x"}`)
		if r := p.Publish(t.Context(), e)[0]; r.Err != nil || r.Duplicate != repeats {
			t.Fatalf("%d: duplicate %v, %v", i, r.Duplicate, r.Err)
		}
	}
	last := event("2")
	last.Data = []byte(`{"n":"x"}`)
	if r := p.Publish(t.Context(), last)[0]; r.Err != nil || r.Duplicate {
		t.Fatalf("%+v", r)
	}
	until(t, "both are buried", func() bool { return len(k.got("grave")) >= 2 && len(k.got("b")) >= 2 })
	if dead := deadOf(t, k); len(dead) != 2 || len(k.got("grave")) != 2 || len(k.got("b")) != 2 {
		t.Errorf("%d dead letters, %d stories, %d copies", len(dead), len(k.got("grave")), len(k.got("b")))
	}
}
