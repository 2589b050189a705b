package outboxtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

var modelTests = map[string]func(*home){
	"at random, beside a model":       runModel,
	"at random, beside a model again": runModel,
	"at random, beside a model still": runModel,
}

// owed is a delivery as the model knows it.
type owed struct {
	event, key string
	queue      outbox.Queue
	attempts   int
	later      bool // due in an hour
	fresh      bool // never held
	held       *outbox.Delivery
}

// model is what a store must be like: the deliveries in the order in which they
// were stored, and the dead letters' events.
type model struct {
	owed []*owed
	dead []*owed
	seen map[string]bool

	queues []outbox.Queue
	number int
}

// before are the deliveries of o's queue that come before the i-th.
func (m *model) before(i int) []*owed {
	var all []*owed
	for _, o := range m.owed[:i] {
		if o.queue == m.owed[i].queue {
			all = append(all, o)
		}
	}
	return all
}

// claimable tells whether a Claim may hand out the i-th.
func (m *model) claimable(i int) bool {
	o := m.owed[i]
	if o.held != nil || o.later {
		return false
	}
	return o.key == "" || !slices.ContainsFunc(m.before(i), func(b *owed) bool { return b.key == o.key })
}

// holdable tells whether the i-th, just stored, must be held, and whether it
// must not.
func (m *model) holdable(i int) (must, mustNot bool) {
	must = true
	for _, b := range m.before(i) {
		if b.held == nil {
			must = false
			mustNot = mustNot || m.owed[i].key == "" && b.key == "" && !b.later
		}
		mustNot = mustNot || b.key != "" && b.key == m.owed[i].key
	}
	return must && !mustNot, mustNot
}

func runModel(t *home) {
	random := t.source(0)
	m := &model{seen: map[string]bool{}, queues: []outbox.Queue{
		{Route: "a", Destination: "1"}, {Route: "b", Destination: "2"}, {Route: "b", Destination: "3", DeadLetter: true}}}
	s := t.open()
	for range 400 {
		switch n := random.IntN(20); {
		case n < 7:
			m.put(s, random)
		case n < 12:
			m.claim(s, random, m.queues[random.IntN(len(m.queues))])
		case n < 18:
			m.settle(s, random)
		case n < 19:
			m.resurrect(s, random)
		case random.IntN(3) == 0:
			s = s.again(false)
			for _, o := range m.owed {
				o.held = nil
			}
		}
	}
	m.drain(s)
}

func (m *model) put(s *node, random *rand.Rand) {
	s.t.Helper()
	var entries []*outbox.Entry
	var fresh []bool
	for i := range 1 + random.IntN(4) {
		m.number++
		e := &outbox.Entry{Event: event(m.number), Beside: i > 0 && random.IntN(4) == 0}
		if !e.Beside && random.IntN(4) == 0 {
			e.Dedupe = time.Hour
			e.Event.ID = fmt.Sprint("d", random.IntN(10))
		}
		for _, q := range m.queues {
			if random.IntN(2) == 0 {
				key := []string{"", "x", "y"}[random.IntN(3)]
				e.Owed = append(e.Owed, &outbox.Owed{Queue: q, Key: key, Hold: random.IntN(2) == 0})
			}
		}
		entries = append(entries, e)
		is := (e.Dedupe == 0 || !m.seen[e.Event.ID]) && (!e.Beside || fresh[i-1])
		fresh = append(fresh, is)
		m.seen[e.Event.ID] = m.seen[e.Event.ID] || e.Dedupe > 0 && is
	}
	s.put(entries...)
	for i, e := range entries {
		s.t.check("fresh", !e.Duplicate, fresh[i])
		for _, o := range e.Owed {
			if !fresh[i] {
				s.t.check("a duplicate is held", o.Held == nil, true)
				continue
			}
			m.owed = append(m.owed, &owed{event: e.Event.ID, key: o.Key, queue: o.Queue, fresh: o.Held == nil, held: o.Held})
			must, mustNot := m.holdable(len(m.owed) - 1)
			if o.Held == nil && o.Hold && must || o.Held != nil && (mustNot || !o.Hold) {
				s.t.Fatalf("event %s, key %q: held is %v; asked %v, must %v, must not %v", e.Event.ID, o.Key, o.Held != nil, o.Hold, must, mustNot)
			}
		}
	}
}

func (m *model) claim(s *node, random *rand.Rand, q outbox.Queue) {
	s.t.Helper()
	n := 1 + random.IntN(8)
	var can []int
	for i, o := range m.owed {
		if o.queue == q && m.claimable(i) {
			can = append(can, i)
		}
	}
	got := s.claimUpTo(q, n, 1<<20)
	if len(got) > n || len(got) == 0 && len(can) > 0 {
		s.t.Fatalf("%d claimed; %d may be, asked for %d", len(got), len(can), n)
	}
	last := -1
	for _, d := range got {
		at := slices.IndexFunc(can, func(i int) bool {
			o := m.owed[i]
			return o.held == nil && o.event == d.Event.ID && o.key == d.Key && o.attempts == d.Attempts
		})
		if at < 0 {
			s.t.Fatalf("event %s, key %q, must not be claimed now", d.Event.ID, d.Key)
		}
		o := m.owed[can[at]]
		o.held = d
		if o.fresh && o.key == "" {
			for _, i := range can[max(last, 0):at] {
				if skipped := m.owed[i]; skipped.fresh && skipped.key == "" && skipped.held == nil {
					s.t.Fatalf("event %s is claimed before %s", o.event, skipped.event)
				}
			}
			last = at
		}
		o.fresh = false
	}
}

func (m *model) settle(s *node, random *rand.Rand) {
	s.t.Helper()
	var all []*outbox.Settlement
	for _, o := range slices.Clone(m.owed) {
		if o.held == nil || random.IntN(3) > 0 {
			continue
		}
		settlement := &outbox.Settlement{Delivery: o.held, Outcome: outbox.Outcome(random.IntN(4))}
		all = append(all, settlement)
		o.held = nil
		switch settlement.Outcome {
		case outbox.Again:
			settlement.Delivery.Attempts++
			o.attempts++
			o.later = random.IntN(3) == 0
			settlement.At = time.Now().Add(-time.Minute)
			if o.later {
				settlement.At = time.Now().Add(time.Hour)
			}
		case outbox.Dead:
			m.dead = append(m.dead, o)
			settlement.Reason = keg.ReasonRefused
			fallthrough
		case outbox.Done:
			m.owed = slices.DeleteFunc(m.owed, func(other *owed) bool { return other == o })
		}
	}
	s.settle(all...)
}

// resurrect replays one dead letter, or drops it.
func (m *model) resurrect(s *node, random *rand.Rand) {
	s.t.Helper()
	dead := m.check(s)
	if len(dead) == 0 {
		return
	}
	one := dead[random.IntN(len(dead))]
	at := slices.IndexFunc(m.dead, func(o *owed) bool { return o.event == one.Event.ID && o.queue.Destination == one.Destination })
	o := m.dead[at]
	m.dead = slices.Delete(m.dead, at, at+1)
	call := s.Drop
	if random.IntN(2) == 0 {
		call = s.Replay
		m.owed = append(m.owed, &owed{event: o.event, key: o.key, queue: o.queue, fresh: true})
	}
	if n, err := call(s.t.ctx(), one.ID); n != 1 || err != nil {
		s.t.Fatalf("dropped or replayed %d, %v", n, err)
	}
	m.check(s)
}

// check compares the dead letters.
func (m *model) check(s *node) []*keg.DeadLetter {
	s.t.Helper()
	got, want := map[string]int{}, map[string]int{}
	dead := s.dead(outbox.Filter{})
	for _, d := range dead {
		got[d.Event.ID+" "+d.Destination]++
	}
	for _, o := range m.dead {
		want[o.event+" "+o.queue.Destination]++
	}
	s.t.check("dead letters", got, want)
	return dead
}

// drain ends all that is owed, and finds nothing beyond it.
func (m *model) drain(s *node) {
	s.t.Helper()
	for {
		for _, o := range m.owed {
			if o.held != nil {
				s.end(outbox.Done, o.held)
			}
		}
		m.owed = slices.DeleteFunc(m.owed, func(o *owed) bool { return o.held != nil })
		claimed := 0
		for _, q := range m.queues {
			m.claim(s, rand.New(rand.NewPCG(1, 1)), q)
		}
		for _, o := range m.owed {
			if o.held != nil {
				claimed++
			}
		}
		if claimed == 0 {
			break
		}
	}
	left := map[outbox.Queue]int64{}
	for _, o := range m.owed {
		left[o.queue]++
	}
	got, _ := s.waiting()
	s.t.check("what is due later", got, left)
	m.check(s)
}
