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
		refuse := func() { r.Note(t.Context(), Answer{Status: 400}, "a request was refused") }
		// flood refuses three times as many as may be written, and returns the lines.
		flood := func() []string {
			log.Reset()
			var senders sync.WaitGroup
			for range 3 {
				senders.Go(func() {
					for range linesAtOnce {
						refuse()
					}
				})
			}
			senders.Wait()
			return log.Lines("a request was refused")
		}
		if lines := flood(); len(lines) != linesAtOnce || strings.Contains(log.String(), "left_out") {
			t.Errorf("at once: %d lines, want %d, of which none tells of others", len(lines), linesAtOnce)
		}
		r.Note(t.Context(), Answer{Status: 500}, "a fault of KEG") // no flood of others hides it
		if lines := log.Lines("level=ERROR"); len(lines) != 1 || strings.Contains(lines[0], "left_out") {
			t.Errorf("of a fault beside the flood the log says: %q", lines)
		}
		time.Sleep(time.Minute)
		lines := flood()
		if told := log.Lines("left_out"); len(lines) != 60*linesPerSecond || len(told) != 1 || !strings.Contains(told[0], "level=WARN") || !strings.Contains(told[0], "left_out=2000") {
			t.Errorf("a minute later: %d lines, want %d, one of which tells of 2000 others: %q", len(lines), 60*linesPerSecond, told)
		}
		time.Sleep(time.Second)
		log.Reset()
		refuse()
		if !strings.Contains(log.String(), "left_out=2400") {
			t.Errorf("after the second flood the log says: %s", &log)
		}
	})
}
