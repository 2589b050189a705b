package plugins

import (
	"sync"
	"time"
)

// kafkaGate keeps records out while their cluster is known to be away, but for
// one now and then that looks whether it is back. A nil gate is open.
type kafkaGate struct {
	failures, successes int // in a row, that shut it and that open it
	interval            time.Duration

	mu     sync.Mutex
	shut   bool
	inARow int
	probed time.Time
}

func newKafkaGate(c *kafkaConfig) *kafkaGate {
	return &kafkaGate{failures: c.FailureThreshold, successes: c.RecoveryThreshold, interval: time.Duration(c.ProbeInterval) * time.Millisecond}
}

// admits reports whether a record may come in.
func (g *kafkaGate) admits(now time.Time) bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut && now.Sub(g.probed) < g.interval {
		return false
	}
	if g.shut {
		g.probed = now
	}
	return true
}

// heard notes how a record fared. One that failed of something else than the
// cluster's being away says nothing of that.
func (g *kafkaGate) heard(well, away bool, now time.Time) {
	if g == nil || !well && !away {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if well != g.shut { // as expected
		g.inARow = 0
		return
	}
	g.inARow++
	switch {
	case g.shut && g.inARow >= g.successes:
		g.shut, g.inARow = false, 0
	case !g.shut && g.inARow >= g.failures:
		g.shut, g.inARow, g.probed = true, 0, now
	}
}
