package embedded

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writersOf runs so many writers, who come again so long after they were answered,
// and a committer whose sync takes a millisecond, for so many groups. It returns of
// how many a group is on average, and how many groups were busy.
func writersOf(n int, work func(writer int) time.Duration, groups int) (size float64, busy int) {
	b, stop := newInbox(), make(chan struct{})
	var working sync.WaitGroup
	for i := range n {
		working.Go(func() {
			for {
				r := &request{done: make(chan error, 1)}
				b.add(r)
				select {
				case <-r.done:
				case <-stop:
					return
				}
				time.Sleep(work(i))
			}
		})
	}
	var c crowd
	puts := 0
	for range groups {
		<-b.wake
		if c.await(b) {
			busy++
		}
		taken, _ := b.take()
		puts += len(taken)
		time.Sleep(time.Millisecond)
		for _, r := range taken {
			r.done <- nil
		}
		c.saw(len(taken) + b.len())
	}
	close(stop)
	working.Wait()
	return float64(puts) / float64(groups), busy
}

func TestACrowdIsWaitedFor(t *testing.T) {
	for name, test := range map[string]struct {
		writers        int
		work           func(int) time.Duration
		least, most    float64       // of a group, on average
		fewest, oftest int           // of 1000 groups are busy
		within         time.Duration // they are synced, each in a millisecond
	}{
		"idle ones come all at once": {64, func(int) time.Duration { return 20 * time.Microsecond }, 55, 64, 0, 0, 1100 * time.Millisecond},
		"busy ones come in halves":   {64, func(i int) time.Duration { return time.Duration(i) * 30 * time.Microsecond }, 24, 40, 900, 1000, 1700 * time.Millisecond},
		"few are not waited for":     {4, func(i int) time.Duration { return time.Duration(i) * 500 * time.Microsecond }, 1, 4, 0, 0, 1100 * time.Millisecond},
		"such as come as they like":  {16, func(i int) time.Duration { return time.Duration(1+i*i) * time.Millisecond }, 1, 4, 0, 1000, 1600 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				size, busy := writersOf(test.writers, test.work, 1000)
				if size < test.least || size > test.most {
					t.Errorf("a group has %.1f, want %.0f to %.0f", size, test.least, test.most)
				}
				if busy < test.fewest || busy > test.oftest {
					t.Errorf("%d of 1000 groups were busy, want %d to %d", busy, test.fewest, test.oftest)
				}
				if took := time.Since(began); took > test.within {
					t.Errorf("1000 groups took %v, want %v at most", took, test.within)
				}
			})
		})
	}
}

// However those come who are waited for, the last of them is heard.
func TestACrowdThatIsThereIsSeen(t *testing.T) {
	b := newInbox()
	var c crowd
	for round := range 20_000 {
		n := 1 + round%5
		var coming sync.WaitGroup
		for range n {
			coming.Go(func() { b.add(&request{}) })
		}
		began := time.Now()
		if !c.gather(b, n, time.Minute) {
			t.Fatalf("round %d: %d wait, and %d were not seen to come", round, b.len(), n)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Fatalf("round %d: seen after %v", round, took)
		}
		coming.Wait()
		b.take()
	}
}
