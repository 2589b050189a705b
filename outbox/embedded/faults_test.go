package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/test/logtest"
)

var faultQueue = outbox.Queue{Route: "r", Destination: "d"}

// put puts one event of size bytes, and reports the store's answer.
func put(s *embedded.Store, id string, size int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.Put(ctx, &outbox.Entry{
		Event: &keg.Event{ID: id, Source: "s", Type: "t", Data: []byte(strings.Repeat("x", size))},
		Owed:  []*outbox.Owed{{Queue: faultQueue}}, Dedupe: time.Hour})
}

// left claims and ends all that waits, and returns the events' ids.
func left(t *testing.T, s *embedded.Store) []string {
	t.Helper()
	var ids []string
	for {
		deliveries, err := s.Claim(t.Context(), faultQueue, 100, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		if len(deliveries) == 0 {
			return ids
		}
		for _, d := range deliveries {
			ids = append(ids, d.Event.ID)
			if err := s.Settle(t.Context(), &outbox.Settlement{Delivery: d}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: never", what)
		}
	}
}

// every n-th write of any kind fails, for all n of a run.
func TestAnyWriteMayFail(t *testing.T) {
	for n := range rounds(60) {
		t.Run(fmt.Sprint("write ", n), func(t *testing.T) { failAt(t, int64(n), 1) })
	}
	for n := range rounds(20) {
		t.Run(fmt.Sprint("eight from write ", n), func(t *testing.T) { failAt(t, int64(3*n), 8) })
	}
}

// failAt lets writes at..at+count of a store at work fail.
func failAt(t *testing.T, at, count int64) {
	disk := vfs.NewCrashableMem()
	var writes atomic.Int64
	var armed atomic.Bool
	faulty := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !armed.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpLock {
			return nil
		}
		if n := writes.Add(1) - 1; n >= at && n < at+count {
			return syscall.EIO
		}
		return nil
	}))
	var log logtest.Log
	s := open(t, "store", embedded.Options{Log: log.Logger()}.On(faulty))
	armed.Store(true)
	acknowledged := map[string]bool{}
	refused := map[string]bool{}
	for i := range 40 {
		id := fmt.Sprint(i)
		err := put(s, id, 100+i%3*20_000)
		switch {
		case err == nil:
			acknowledged[id] = true
		default:
			refused[id] = true
			var unavailable *outbox.UnavailableError
			if !errors.As(err, &unavailable) {
				t.Fatalf("Put: %v", err)
			}
			eventually(t, "the store is well again", func() bool { return s.Check() == nil })
		}
	}
	armed.Store(false)
	eventually(t, "the store is well", func() bool { return s.Check() == nil && put(s, "last", 1) == nil })
	acknowledged["last"] = true
	for id := range refused { // what failed was not seen
		e := &outbox.Entry{Event: &keg.Event{ID: id, Source: "s", Type: "t"}, Dedupe: time.Hour}
		if err := s.Put(t.Context(), e); err != nil || e.Duplicate {
			t.Fatalf("event %s, which was refused, is a duplicate (%v), %v", id, e.Duplicate, err)
		}
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	for name, s := range map[string]*embedded.Store{"the same process": s, "after a crash": open(t, "store", embedded.Options{}.On(crashed))} {
		got := left(t, s)
		seen := map[string]bool{}
		for _, id := range got {
			if seen[id] {
				t.Errorf("%s: event %s came twice", name, id)
			}
			seen[id] = true
			if !acknowledged[id] {
				t.Errorf("%s: event %s came, though its Put was refused", name, id)
			}
		}
		for id := range acknowledged {
			if !seen[id] {
				t.Errorf("%s: event %s is lost\n%s", name, id, &log)
			}
		}
		closed(t, s)
	}
}

// A start meets a failing write, too: it says so, or gets by; the next finds
// everything.
func TestAnyWriteOfAStartMayFail(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := open(t, "store", embedded.Options{}.On(disk))
	for i := range 20 {
		if err := put(s, fmt.Sprint(i), 20_000); err != nil {
			t.Fatal(err)
		}
	}
	before := disk.CrashClone(vfs.CrashCloneCfg{})
	closed(t, s)
	for n := int64(0); ; n++ {
		disk := before.CrashClone(vfs.CrashCloneCfg{})
		var writes atomic.Int64
		failed := false
		faulty := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose && writes.Add(1)-1 == n {
				failed = true
				return syscall.ENOSPC
			}
			return nil
		}))
		s, err := embedded.Open("store", embedded.Options{Log: new(logtest.Log).Logger()}.On(faulty))
		if err == nil {
			eventually(t, "the store is well", func() bool { return s.Check() == nil })
			closed(t, s)
		} else if !strings.Contains(err.Error(), "store") {
			t.Errorf("write %d: %v", n, err)
		}
		s = open(t, "store", embedded.Options{}.On(disk.CrashClone(vfs.CrashCloneCfg{})))
		if got := left(t, s); len(got) != 20 {
			t.Fatalf("write %d: %d of 20 are left", n, len(got))
		}
		closed(t, s)
		if !failed {
			t.Logf("%d writes", n)
			return
		}
	}
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	disk := vfs.NewCrashableMem()
	var full atomic.Bool
	faulty := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpFilePreallocate:
			if full.Load() {
				return syscall.ENOSPC
			}
		}
		return nil
	}))
	s := open(t, "store", embedded.Options{}.On(faulty))
	defer closed(t, s)
	entry := &outbox.Entry{Event: &keg.Event{ID: "held", Source: "s", Type: "t"}, Owed: []*outbox.Owed{{Queue: faultQueue, Key: "k", Hold: true}}}
	behind := &outbox.Entry{Event: &keg.Event{ID: "behind", Source: "s", Type: "t"}, Owed: []*outbox.Owed{{Queue: faultQueue, Key: "k"}}}
	if err := s.Put(t.Context(), entry, behind); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	if err := put(s, "no", 100); err == nil {
		t.Fatal("stored on a full disk")
	}
	for range 3 {
		if err := put(s, "no", 100); err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("Put: %v", err)
		}
	}
	eventually(t, "Check says why", func() bool { err := s.Check(); return err != nil && strings.Contains(err.Error(), "disk is full") })
	full.Store(false)
	eventually(t, "there is room again", func() bool { return s.Check() == nil })
	if deliveries, err := s.Claim(t.Context(), faultQueue, 10, math.MaxInt64); err != nil || len(deliveries) > 0 {
		t.Fatalf("claimed %d while the first of their key is held; %v", len(deliveries), err)
	}
	if err := s.Settle(t.Context(), &outbox.Settlement{Delivery: entry.Owed[0].Held}); err != nil {
		t.Fatal(err)
	}
	if got := left(t, s); fmt.Sprint(got) != "[behind]" {
		t.Fatalf("left: %v", got)
	}
}

// A crash keeps a random share of what was not synced: nothing that was
// acknowledged is missing, nothing comes half, and the order is that of the Puts.
func TestACrashKeepsWhatWasAcknowledged(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	disk := vfs.NewCrashableMem()
	for round := range rounds(25) {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		s := open(t, "store", embedded.Options{}.On(disk))
		var acknowledged sync.Map
		ctx, cancel := context.WithCancel(t.Context())
		var working sync.WaitGroup
		var puts atomic.Int64
		for w := range 8 {
			sizes := rand.New(rand.NewPCG(seed, uint64(1000*round+w)))
			working.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					id := fmt.Sprintf("%d/%d/%d", round, w, i)
					e := &outbox.Entry{Event: &keg.Event{ID: id, Source: "s", Type: "t", Data: make([]byte, sizes.IntN(40_000))},
						Owed: []*outbox.Owed{{Queue: faultQueue, Key: fmt.Sprint(w)}, {Queue: benchQueue}}}
					if err := s.Put(ctx, e); err != nil {
						return
					}
					acknowledged.Store(id, true)
					puts.Add(1)
				}
			})
		}
		target := int64(20 + random.IntN(200))
		eventually(t, "puts", func() bool { return puts.Load() >= target })
		// What is acknowledged before the clone is taken must be in it.
		want := map[string]bool{}
		acknowledged.Range(func(id, _ any) bool { want[id.(string)] = true; return true })
		crashed := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: random})
		cancel()
		working.Wait()
		closed(t, s)
		disk = crashed
		s = open(t, "store", embedded.Options{}.On(disk))
		inOrder(t, s, want)
		for range 100 { // and the other queue has the same
			deliveries, err := s.Claim(t.Context(), benchQueue, 1000, math.MaxInt64)
			if err != nil {
				t.Fatal(err)
			}
			if len(deliveries) == 0 {
				break
			}
			for _, d := range deliveries {
				if err := s.Settle(t.Context(), &outbox.Settlement{Delivery: d}); err != nil {
					t.Fatal(err)
				}
			}
		}
		closed(t, s)
	}
}

// inOrder drains the fault queue: all of want, each once, in order by key.
func inOrder(t *testing.T, s *embedded.Store, want map[string]bool) {
	t.Helper()
	last := map[string]int{}
	got := map[string]bool{}
	for _, id := range left(t, s) {
		var round, w, i int
		if _, err := fmt.Sscanf(id, "%d/%d/%d", &round, &w, &i); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(round, "/", w)
		if next, seen := last[key]; seen && i != next+1 || !seen && i != 0 {
			t.Fatalf("of writer %s came %d after %d", key, i, last[key])
		}
		last[key] = i
		got[id] = true
	}
	for id := range want {
		if !got[id] {
			t.Errorf("event %s was acknowledged and is lost", id)
		}
	}
}

// rounds is how often something is done, less under the race detector.
func rounds(n int) int {
	if raced {
		return n / 5
	}
	return n
}
