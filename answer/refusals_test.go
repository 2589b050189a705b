package answer

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kong/keg/test/logtest"
)

func TestAFloodOfRefusalsIsCountedAndNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Log
		r := NewRefusals(log.Logger())
		flood := func() {
			var senders sync.WaitGroup
			for range 3 {
				senders.Go(func() {
					for range linesAtOnce {
						r.Note(t.Context(), Answer{Status: 400}, "a request was refused")
					}
				})
			}
			senders.Wait()
		}
		// says fails the test unless the log has so many refusals, and one line with
		// text, since it was looked at last.
		says := func(when string, refusals int, text string) {
			t.Helper()
			if got := len(log.Lines("a request was refused")); got != refusals {
				t.Errorf("%s: %d lines, want %d", when, got, refusals)
			}
			if got := strings.Count(log.String(), "\n") - refusals; got != min(len(text), 1) || !strings.Contains(log.String(), text) {
				t.Errorf("%s: %d other lines, want one with %q:\n%.500s", when, got, text, &log)
			}
			log.Reset()
		}
		flood()
		r.Note(t.Context(), Answer{Status: 500}, "a fault of KEG") // no flood of others hides it
		says("at once", linesAtOnce, `level=ERROR msg="a fault of KEG"`)
		wait := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		wait(tellAfter)
		says("after a while", 0, `level=WARN msg="more was refused than is logged one by one" left_out=2000`)
		flood() // when as many may be logged as have not been meanwhile
		says("at once again", linesPerSecond*int(tellAfter/time.Second), "")
		wait(tellAfter)
		says("after a while again", 0, "left_out=2900")
		wait(time.Hour)
		says("while nothing is refused", 0, "")
	})
}
