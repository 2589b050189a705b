package outboxtest

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// nodeTests are those of stores that several nodes share.
var nodeTests = map[string]func(*home){
	"what one node holds no other gets": shared(func(t *home) {
		a, b := t.open(), t.open()
		a.held(owe(1, ""))
		a.put(owe(2, ""), owe(3, ""), owe("k1", "k"), owe("k2", "k"))
		t.check("a", idsOf(a.claimUpTo(queue, 1, math.MaxInt64)), []string{"2"})
		got := b.claimsAll(queue, 3, "k1")
		a.claimed(queue)
		b.end(outbox.Done, got...)
		a.claimsAll(queue, "k2")
	}),
	"a closed node's are the others' at once": shared(func(t *home) {
		a, b := t.open(), t.open()
		a.held(owe(1, ""))
		a.close()
		b.claimsAll(queue, 1)
	}),
	"a node takes over what a dead one held": shared(func(t *home) {
		a, b := t.open(), t.open()
		d := a.held(owe("k1", "k"))
		a.put(owe("k2", "k"))
		a.kill()
		got := b.claimsAll(queue, "k1")
		t.check("the same delivery", got[0].ID, d.ID)
		b.end(outbox.Done, got...)
		b.claimsAll(queue, "k2")
	}),
	"a node that lives keeps what it holds": shared(func(t *home) {
		a, b := t.open(), t.open()
		d := a.held(owe(1, ""))
		for end := time.Now().Add(min(2*t.h.Lease, patience)); time.Now().Before(end); time.Sleep(t.h.Lease / 20) {
			b.claimed(queue)
		}
		a.end(outbox.Done, d)
		b.claimed(queue)
	}),
	"an event is a duplicate on every node": shared(func(t *home) {
		a, b := t.open(), t.open()
		a.put(once(1, time.Hour))
		e := once(1, time.Hour)
		b.put(e)
		t.check("duplicate", e.Duplicate, true)
	}),
	"of dead letters that two nodes replay each goes once": shared(func(t *home) {
		a, b := t.open(), t.open()
		for i := range 20 {
			a.die(keg.ReasonRefused, a.held(owe(i, "")))
		}
		var ids []string
		for _, d := range b.dead(outbox.Filter{}) {
			ids = append(ids, d.ID)
		}
		var both sync.WaitGroup
		var counts [2]int
		for i, s := range []*node{a, b} {
			both.Go(func() {
				var err error
				if counts[i], err = s.Replay(t.ctx(), ids...); err != nil {
					t.Errorf("Replay: %v", err)
				}
			})
		}
		both.Wait()
		t.check("replayed", counts[0]+counts[1], 20)
		t.check("owed", fmt.Sprint(len(a.claim(queue))), "20")
	}),
	"nodes at work hand out every delivery once": shared(func(t *home) { load(t, t.open(), t.open(), t.open()) }),
}

// shared is a test for harnesses that are.
func shared(test func(*home)) func(*home) {
	return func(t *home) {
		if !t.h.Shared {
			t.Skip("one process at a time has this store's data")
		}
		test(t)
	}
}
