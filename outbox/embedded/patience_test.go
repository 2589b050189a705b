package embedded

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever waits hears of it after one while, and before two and a bit; and when
// nobody waits, nothing ticks.
func TestPatienceEndsForEachInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p patience
		var waiting sync.WaitGroup
		for i := range 50 {
			waiting.Go(func() {
				time.Sleep(time.Duration(i*i) * 100 * time.Microsecond)
				began := time.Now()
				<-p.ends()
				if took := time.Since(began); took < aWhile || took > 2*aWhile {
					t.Errorf("the one that came after %v waited %v", time.Duration(i*i)*100*time.Microsecond, took)
				}
			})
		}
		waiting.Wait()
		time.Sleep(10 * aWhile)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.young != nil || p.old != nil {
			t.Error("it ticks for nobody")
		}
	})
}
