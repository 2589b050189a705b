//go:build real

package postgres

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

var seed = flag.Uint64("postgres.seed", 0, "repeats what TestNodesAndFaultsAtRandom did under this seed; 0 takes a new one")

// modelled is an event as the model knows it.
type modelled struct {
	number int
	key    string
	sure   bool // stored; else perhaps
	ended  bool
	holder *Store // who has it, as far as is known
	held   *outbox.Delivery
}

// model is several nodes, one step at a time, each through a proxy of its own.
type model struct {
	*testing.T
	random  *rand.Rand
	raw     string
	nodes   []*Store
	proxies map[*Store]*proxy
	events  []*modelled
	dead    int
}

// A step may fail where a connection was cut; then it is said so, and nothing
// is lost, doubled, out of order, or held by two.
func TestNodesAndFaultsAtRandom(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("repeat with -postgres.seed %d", *seed)
	m := &model{T: t, random: rand.New(rand.NewPCG(*seed, 0)), raw: newSchema(t), proxies: map[*Store]*proxy{}}
	for range 3 {
		m.enter()
	}
	for range 500 {
		s := m.nodes[m.random.IntN(len(m.nodes))]
		if m.random.IntN(12) == 0 {
			m.proxies[s].arm([]string{"SELECT 1", "SELECT 2", "COMMIT", "DELETE 1", "UPDATE 1", "SELECT 0"}[m.random.IntN(6)], false)
		}
		switch n := m.random.IntN(100); {
		case n < 40:
			m.put(s)
		case n < 65:
			m.claim(s)
		case n < 96:
			m.settle(s)
		case n < 98:
			m.proxies[s].cutAll()
		default:
			m.leave(s, n == 98)
			m.enter()
		}
	}
	m.drain()
}

func (m *model) enter() {
	p, through := newProxy(m, m.raw)
	s := open(m, through, Options{Lease: 3 * time.Second})
	m.nodes = append(m.nodes, s)
	m.proxies[s] = p
}

func (m *model) leave(s *Store, kill bool) {
	if m.nodes = slices.DeleteFunc(m.nodes, func(other *Store) bool { return other == s }); kill {
		s.kill()
	} else {
		_ = s.Close()
	}
	for _, e := range m.events {
		if e.holder == s {
			e.holder, e.held = nil, nil
		}
	}
}

func (m *model) put(s *Store) {
	var entries []*outbox.Entry
	var fresh []*modelled
	for range 1 + m.random.IntN(3) {
		e := &modelled{number: len(m.events), key: []string{"", "", "x", "y", "z"}[m.random.IntN(5)]}
		m.events = append(m.events, e)
		fresh = append(fresh, e)
		one := entry(e.number, m.random.IntN(2) == 0)
		one.Owed[0].Key = e.key
		if m.random.IntN(3) == 0 {
			one.Dedupe = time.Hour
		}
		entries = append(entries, one)
	}
	if err := s.Put(ctxOf(m), entries...); err != nil {
		return
	}
	for i, e := range fresh {
		if e.sure = true; entries[i].Duplicate {
			m.Fatalf("event %d is called a duplicate", e.number)
		}
		if d := entries[i].Owed[0].Held; d != nil {
			m.take(s, d)
		}
	}
}

func (m *model) claim(s *Store) {
	claimed, err := s.Claim(ctxOf(m), theQueue, 1+m.random.IntN(5), math.MaxInt64)
	if err != nil {
		return
	}
	for _, d := range claimed {
		m.take(s, d)
	}
}

func (m *model) take(s *Store, d *outbox.Delivery) {
	var number int
	if _, err := fmt.Sscan(d.Event.ID, &number); err != nil {
		m.Fatal(err)
	}
	e := m.events[number]
	if e.ended || e.holder != nil {
		m.Fatalf("event %d is handed out; ended %v, held %v", number, e.ended, e.holder != nil)
	}
	for _, before := range m.events[:number] {
		if e.key != "" && before.key == e.key && !before.ended && (before.sure || before.holder != nil) {
			m.Fatalf("event %d of key %s is handed out before event %d", number, e.key, before.number)
		}
	}
	e.sure, e.holder, e.held = true, s, d
}

func (m *model) settle(s *Store) {
	var settlements []*outbox.Settlement
	for _, e := range m.events {
		if e.holder != s || m.random.IntN(2) == 0 {
			continue
		}
		settlement := &outbox.Settlement{Delivery: e.held, Outcome: outbox.Outcome(m.random.IntN(4)), At: time.Now(), Reason: keg.ReasonRefused}
		settlements = append(settlements, settlement)
		e.holder, e.held = nil, nil
		if settlement.Outcome == outbox.Dead {
			m.dead++
		}
		e.ended = settlement.Outcome == outbox.Done || settlement.Outcome == outbox.Dead
	}
	m.settleAll(s, settlements)
}

// settleAll settles again and again until it is done, as a dispatcher does.
func (m *model) settleAll(s *Store, settlements []*outbox.Settlement) {
	for ctx := ctxOf(m); ; time.Sleep(10 * time.Millisecond) {
		err := s.Settle(ctx, settlements...)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			m.Fatal(err)
		}
	}
}

func (m *model) drain() {
	for _, p := range m.proxies {
		p.admit()
	}
	last := m.nodes[0]
	for _, s := range slices.Clone(m.nodes[1:]) {
		m.leave(s, true)
	}
	defer func() { _ = last.Close() }()
	eventually(m, "nothing is left", func() bool {
		m.claim(last)
		var settlements []*outbox.Settlement
		for _, e := range m.events {
			if e.holder == last {
				settlements = append(settlements, &outbox.Settlement{Delivery: e.held})
				e.holder, e.held, e.ended = nil, nil, true
			}
		}
		m.settleAll(last, settlements)
		return query[int](m, m.raw, "SELECT count(*) FROM deliveries") == 0
	})
	perhaps := 0
	for _, e := range m.events {
		if e.sure && !e.ended {
			m.Errorf("event %d is lost", e.number)
		}
		if !e.sure {
			perhaps++
		}
	}
	if n := query[int](m, m.raw, "SELECT count(*) FROM dead"); n != m.dead {
		m.Errorf("%d dead letters, not %d", n, m.dead)
	}
	if n := query[int](m, m.raw, "SELECT count(*) FROM events"); n != 0 {
		m.Errorf("%d events are left", n)
	}
	cuts := 0
	for _, p := range m.proxies {
		cuts += p.count()
	}
	m.Logf("%d events, %d of them never stored, %d cuts", len(m.events), perhaps, cuts)
}
