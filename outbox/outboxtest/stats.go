package outboxtest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// waiting counts what stats say is owed, by queue, without those that have
// nothing.
func (s *node) waiting() (map[outbox.Queue]int64, outbox.Stats) {
	s.t.Helper()
	stats, err := s.Stats(s.t.ctx())
	if err != nil {
		s.t.Fatalf("Stats: %v", err)
	}
	counts := map[outbox.Queue]int64{}
	for _, q := range stats.Queues {
		if q.Waiting != 0 {
			counts[q.Queue] = q.Waiting
		}
		if (q.Waiting == 0) != q.Oldest.IsZero() {
			s.t.Errorf("%d wait, the oldest since %v", q.Waiting, q.Oldest)
		}
	}
	return counts, stats
}

// counts waits until the store counts so many.
func (s *node) counts(queues map[outbox.Queue]int64, dead map[keg.Reason]int64) {
	s.t.Helper()
	var diff string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		got, stats := s.waiting()
		for reason, n := range stats.Dead {
			if n == 0 {
				delete(stats.Dead, reason)
			}
		}
		if len(stats.Dead) == 0 {
			stats.Dead = map[keg.Reason]int64{}
		}
		if diff = cmp.Diff(queues, got) + cmp.Diff(dead, stats.Dead); diff == "" {
			return
		}
	}
	s.t.Fatalf("stats (-want +got):\n%s", diff)
}

var statsTests = map[string]func(*home){
	"stats count what waits, is held and is dead": func(t *home) {
		type queues = map[outbox.Queue]int64
		type reasons = map[keg.Reason]int64
		s := t.open()
		s.counts(queues{}, reasons{})
		before := time.Now()
		d := s.held(owe(1, ""))
		s.put(owe(2, ""), owe(3, "k"), &outbox.Entry{Event: event(4), Owed: []*outbox.Owed{{Queue: queue}, {Queue: other}}})
		s.counts(queues{queue: 4, other: 1}, reasons{})
		_, stats := s.waiting()
		for _, q := range stats.Queues {
			if q.Waiting > 0 && q.Oldest.Sub(before).Abs() > time.Minute {
				t.Errorf("the oldest is of %v", q.Oldest)
			}
		}
		s.settle(&outbox.Settlement{Delivery: d, Outcome: outbox.Again, At: time.Now().Add(time.Hour)})
		s.counts(queues{queue: 4, other: 1}, reasons{})
		s.die(keg.ReasonRefused, s.claimed(other, 4)...)
		three := s.claimed(queue, 2, 3, 4)
		s.end(outbox.Done, three[0])
		s.die(keg.ReasonExhausted, three[1])
		s.put(&outbox.Entry{Event: event(5), Owed: []*outbox.Owed{{Dead: &keg.DeadLetter{Reason: keg.ReasonUndecodable}}}})
		s.counts(queues{queue: 2}, reasons{keg.ReasonRefused: 1, keg.ReasonExhausted: 1, keg.ReasonUndecodable: 1})
		dead := s.dead(outbox.Filter{})
		if _, err := s.Replay(t.ctx(), dead[0].ID, dead[1].ID, dead[2].ID); err != nil {
			t.Fatal(err)
		}
		s.counts(queues{queue: 3, other: 1}, reasons{keg.ReasonUndecodable: 1})
		s = s.again(false)
		s.counts(queues{queue: 3, other: 1}, reasons{keg.ReasonUndecodable: 1})
		if _, err := s.Drop(t.ctx(), dead[2].ID); err != nil {
			t.Fatal(err)
		}
		s.counts(queues{queue: 3, other: 1}, reasons{})
	},
}
