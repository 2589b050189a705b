//go:build real

package postgres

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// The figures of this file are events per second of one node and its database
// on one machine; each is a part of what `make bench` shows.

func benchStore(b *testing.B) *Store {
	return opened(b, newSchema(b), Options{Log: slog.New(slog.DiscardHandler)})
}

func kilobyte(id int64) *keg.Event {
	return &keg.Event{ID: fmt.Sprint(id), Source: "//shop", Type: "order.created", DataContentType: "application/json", Data: bytes.Repeat([]byte("x"), 1024)}
}

// putAll stores n events by 64 writers, which each wait for their answers.
func putAll(b *testing.B, s *Store, n int, hold bool, after func(*outbox.Delivery)) {
	b.Helper()
	var next atomic.Int64
	var writing sync.WaitGroup
	for range 64 {
		writing.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				e := &outbox.Entry{Event: kilobyte(i), Owed: []*outbox.Owed{{Queue: theQueue, Hold: hold}}}
				if err := s.Put(b.Context(), e); err != nil {
					b.Error(err)
					return
				}
				if after != nil {
					after(e.Owed[0].Held)
				}
			}
		})
	}
	writing.Wait()
}

func perSecond(b *testing.B, n int) { b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s") }

func BenchmarkPutBy64Writers(b *testing.B) {
	s := benchStore(b)
	putAll(b, s, 1000, false, nil)
	groups := func() (n float64) {
		if err := s.pool.QueryRow(b.Context(), "SELECT sum(seq) FROM writers").Scan(&n); err != nil {
			b.Fatal(err)
		}
		return n
	}
	before := groups()
	b.ResetTimer()
	putAll(b, s, b.N, false, nil)
	perSecond(b, b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/(groups()-before), "events/group")
}

// BenchmarkBare is what the database takes without a store: two connections
// that insert 32 rows of a kilobyte a transaction, as fast as they can.
func BenchmarkBare(b *testing.B) {
	raw := newSchema(b)
	s := opened(b, raw, Options{Log: slog.New(slog.DiscardHandler)})
	execute(b, raw, "CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data bytea NOT NULL)")
	var next atomic.Int64
	var writing sync.WaitGroup
	b.ResetTimer()
	for range 2 {
		writing.Go(func() {
			for next.Add(32) <= int64(b.N)+31 {
				rows := make([][]byte, 32)
				for i := range rows {
					rows[i] = outbox.AppendEvent(nil, kilobyte(int64(i)))
				}
				if _, err := s.pool.Exec(b.Context(), "INSERT INTO bare (data) SELECT * FROM unnest($1::bytea[])", rows); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	perSecond(b, b.N)
}

func BenchmarkClaimAndSettle(b *testing.B) {
	s := benchStore(b)
	putAll(b, s, b.N, false, nil)
	b.ResetTimer()
	left := atomic.Int64{}
	left.Store(int64(b.N))
	var working sync.WaitGroup
	for range 2 {
		working.Go(func() {
			for left.Load() > 0 {
				claimed, err := s.Claim(b.Context(), theQueue, 500, math.MaxInt64)
				if err != nil {
					b.Error(err)
					return
				}
				settleDoneAll(b, s, claimed)
				left.Add(-int64(len(claimed)))
			}
		})
	}
	working.Wait()
	perSecond(b, b.N)
}

// BenchmarkThrough puts what is held at once, and settles it in batches, as a
// dispatcher does that keeps up.
func BenchmarkThrough(b *testing.B) {
	s := benchStore(b)
	held := make(chan *outbox.Delivery, 4096)
	var settling sync.WaitGroup
	settling.Go(func() {
		for d := range held {
			batch := []*outbox.Delivery{d}
			for len(batch) < 500 && len(held) > 0 {
				batch = append(batch, <-held)
			}
			settleDoneAll(b, s, batch)
		}
	})
	b.ResetTimer()
	putAll(b, s, b.N, true, func(d *outbox.Delivery) {
		if d == nil {
			b.Error("not held")
			return
		}
		held <- d
	})
	close(held)
	settling.Wait()
	perSecond(b, b.N)
}

func settleDoneAll(b *testing.B, s *Store, deliveries []*outbox.Delivery) {
	settlements := make([]*outbox.Settlement, len(deliveries))
	for i, d := range deliveries {
		settlements[i] = &outbox.Settlement{Delivery: d, Outcome: outbox.Done}
	}
	if err := s.Settle(b.Context(), settlements...); err != nil {
		b.Error(err)
	}
}

func BenchmarkPutAlone(b *testing.B) {
	s := benchStore(b)
	b.ResetTimer()
	for i := range b.N {
		if err := s.Put(b.Context(), &outbox.Entry{Event: kilobyte(int64(i)), Owed: []*outbox.Owed{{Queue: theQueue, Hold: true}}}); err != nil {
			b.Fatal(err)
		}
	}
}
