package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

// rss is what the process has in memory, in bytes.
func rss(tb testing.TB) int64 {
	tb.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Skip("this system does not tell how much memory a process has")
	}
	for line := range strings.Lines(string(status)) {
		if text, found := strings.CutPrefix(line, "VmRSS:"); found {
			kilobytes, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	tb.Fatal("no VmRSS")
	return 0
}

// watchRSS returns what ends the watch and tells the most that was seen.
func watchRSS(tb testing.TB) (most func() int64) {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		for {
			most = max(most, rss(tb))
			select {
			case <-stop:
				result <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-result }
}

// backlog fills a store with n events, opens it again, puts one more, and drains
// it.
type backlog struct{ fill, start, drain time.Duration }

func (r *backlog) run(tb testing.TB, n int, key func(uint64) string) (most int64) {
	dir := tb.TempDir()
	s := open(tb, dir, embedded.Options{})
	runtime.GC()
	debug.FreeOSMemory()
	watched := watchRSS(tb)
	begin := time.Now()
	fill(tb, s, n, key)
	r.fill = time.Since(begin)
	closed(tb, s)
	begin = time.Now()
	s = open(tb, dir, embedded.Options{})
	if err := s.Put(tb.Context(), &outbox.Entry{Event: kilobyte(0), Owed: []*outbox.Owed{{Queue: benchQueue, Key: key(0)}}}); err != nil {
		tb.Fatal(err)
	}
	r.start = time.Since(begin)
	stats, err := s.Stats(tb.Context())
	if err != nil || len(stats.Queues) != 1 || stats.Queues[0].Waiting != int64(n)+1 {
		tb.Fatalf("stats: %+v, %v", stats, err)
	}
	begin = time.Now()
	drain(tb, s, n+1)
	r.drain = time.Since(begin)
	most = watched()
	closed(tb, s)
	return most
}

func TestABacklogCostsNeitherStartNorMemory(t *testing.T) {
	before := rss(t)
	var r backlog
	n := 100_000
	if raced {
		n = 5000
	}
	most := r.run(t, n, func(i uint64) string { return fmt.Sprint(i % 1000) })
	t.Logf("%d events: stored in %v, started in %v, drained in %v; %d MB, of which %d before", n, r.fill, r.start, r.drain, most>>20, before>>20)
	if grown := most - before; grown > 150<<20 && !raced {
		t.Errorf("%d MB more in memory", grown>>20)
	}
	if r.start > 5*time.Second { // far less than it takes to read it all under load
		t.Errorf("a start took %v", r.start)
	}
}

// BenchmarkBacklog is a million events of 1 KB that wait. It reports how long a
// start takes until its first Put is acknowledged, the process's memory at its
// most, and how many a second are drained in batches of 500.
func BenchmarkBacklog(b *testing.B) {
	for name, key := range map[string]func(uint64) string{
		"without keys": func(uint64) string { return "" },
		"10,000 keys":  func(i uint64) string { return fmt.Sprint(i % 10_000) },
	} {
		b.Run(name, func(b *testing.B) {
			const n = 1_000_000
			for b.Loop() {
				var r backlog
				most := r.run(b, n, key)
				b.ReportMetric(r.start.Seconds()*1000, "ms-start")
				b.ReportMetric(float64(most)/(1<<20), "MB-resident")
				b.ReportMetric(n/r.fill.Seconds(), "events-stored/s")
				b.ReportMetric(n/r.drain.Seconds(), "events-drained/s")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// The store gives back the room of what has ended.
func TestWhatHasEndedTakesNoRoom(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, embedded.Options{})
	n := 20_000
	if raced {
		n = 2000
	}
	for range 5 {
		fill(t, s, n, func(uint64) string { return "" })
		drain(t, s, n)
	}
	closed(t, s)
	s = open(t, dir, embedded.Options{MaxBytes: 1}) // always too much: it is tidied up whenever it can be
	defer closed(t, s)
	eventually(t, "the room is free", func() bool { return size(t, dir) < 40<<20 })
	if err := put(s, "no", 10); err == nil || err.Error() != "the store is full" {
		t.Errorf("Put beyond the limit: %v", err)
	}
}

func size(t *testing.T, dir string) (sum int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
	}
	return sum
}
