package embedded_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

const writers = 64

var benchQueue = outbox.Queue{Route: "orders", Destination: "kafka://kafka:9092/orders"}

func kilobyte(i uint64) *keg.Event {
	data := make([]byte, 1000)
	copy(data, `{"order":`)
	for at := 16; at+8 <= len(data); at += 8 { // not compressible to nothing
		binary.LittleEndian.PutUint64(data[at:], (i+uint64(at))*0x9E3779B97F4A7C15)
	}
	return &keg.Event{ID: fmt.Sprint(i), Source: "//shop", Type: "order.created", DataContentType: "application/json", Data: data}
}

// byWriters runs put n times on 64 goroutines, and returns how many a second.
func byWriters(tb testing.TB, n int, put func(i uint64) error) float64 {
	var next atomic.Uint64
	var working sync.WaitGroup
	start := time.Now()
	for range writers {
		working.Go(func() {
			for i := next.Add(1); i <= uint64(n); i = next.Add(1) {
				if err := put(i); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
	return float64(n) / time.Since(start).Seconds()
}

// bare is a Pebble as its defaults are, to which every writer commits batches
// of its own.
func bare(tb testing.TB, dir string) (put func(i uint64) error, done func()) {
	db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
	if err != nil {
		tb.Fatal(err)
	}
	return func(i uint64) error {
		batch := db.NewBatch()
		value := outbox.AppendEvent(nil, kilobyte(i))
		if err := batch.Set(binary.BigEndian.AppendUint64(nil, i), value, nil); err != nil {
			return err
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			return err
		}
		return batch.Close()
	}, func() { _ = db.Close() }
}

type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// BenchmarkPut is 64 writers of 1 KB events, each acknowledged after a sync;
// beside it, in turns, 64 writers to a bare Pebble. It reports both and the
// ratio of the two.
func BenchmarkPut(b *testing.B) {
	s := open(b, b.TempDir(), embedded.Options{})
	defer closed(b, s)
	barePut, done := bare(b, b.TempDir())
	defer done()
	put := func(i uint64) error {
		return s.Put(b.Context(), &outbox.Entry{Event: kilobyte(i), Owed: []*outbox.Owed{{Queue: benchQueue}}})
	}
	byWriters(b, 5000, put) // warm up
	byWriters(b, 5000, barePut)
	var ours, theirs float64
	rounds := 0
	b.ResetTimer()
	for left := b.N; left > 0; rounds++ {
		n := min(left, 20_000)
		left -= n
		ours += 1 / byWriters(b, n, put)
		theirs += 1 / byWriters(b, n, barePut)
	}
	b.ReportMetric(float64(rounds)/ours, "events/s")
	b.ReportMetric(float64(rounds)/theirs, "bare-events/s")
	b.ReportMetric(theirs/ours, "of-bare")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDrain claims and settles, in batches of 500, events that wait.
func BenchmarkDrain(b *testing.B) {
	for name, key := range map[string]func(i uint64) string{
		"without keys": func(uint64) string { return "" },
		"10,000 keys":  func(i uint64) string { return fmt.Sprint(i % 10_000) },
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, b.TempDir(), embedded.Options{})
			defer closed(b, s)
			fill(b, s, b.N, key)
			b.ResetTimer()
			drain(b, s, b.N)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// fill puts n events, 100 at a time.
func fill(tb testing.TB, s *embedded.Store, n int, key func(i uint64) string) {
	byWriters(tb, (n+99)/100, func(i uint64) error {
		var entries []*outbox.Entry
		for j := range min(100, uint64(n)-(i-1)*100) {
			n := i*100 + j
			entries = append(entries, &outbox.Entry{Event: kilobyte(n), Owed: []*outbox.Owed{{Queue: benchQueue, Key: key(n)}}})
		}
		return s.Put(tb.Context(), entries...)
	})
}

// drain claims and settles until n events have ended.
func drain(tb testing.TB, s *embedded.Store, n int) {
	for n > 0 {
		deliveries, err := s.Claim(tb.Context(), benchQueue, 500, math.MaxInt64)
		if err != nil || len(deliveries) == 0 {
			tb.Fatalf("%d are left: claimed %d, %v", n, len(deliveries), err)
		}
		settlements := make([]*outbox.Settlement, len(deliveries))
		for i, d := range deliveries {
			settlements[i] = &outbox.Settlement{Delivery: d}
		}
		if err := s.Settle(tb.Context(), settlements...); err != nil {
			tb.Fatal(err)
		}
		n -= len(deliveries)
	}
}

func closed(tb testing.TB, s *embedded.Store) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Error(err)
	}
}
