package plugins

import (
	"testing"
	"time"
)

func TestTheGateShutsAndOpensByWhatItHears(t *testing.T) {
	g := newKafkaGate(&kafkaConfig{FailureThreshold: 3, RecoveryThreshold: 2, ProbeInterval: 1000})
	now := time.Unix(1, 0)
	hear := func(well, away bool, times int) {
		for range times {
			g.heard(well, away, now)
		}
	}
	admits := func(want bool, when string) {
		t.Helper()
		if got := g.admits(now); got != want {
			t.Errorf("%s: admits %v", when, got)
		}
	}
	hear(false, true, 2)
	hear(true, false, 1)
	hear(false, true, 2)
	admits(true, "never three failures in a row")
	hear(false, false, 9)
	admits(true, "refusals of records say nothing of the cluster")
	hear(false, true, 1)
	admits(false, "three failures in a row")
	now = now.Add(999 * time.Millisecond)
	admits(false, "before the interval is over")
	now = now.Add(time.Millisecond)
	admits(true, "one that looks")
	admits(false, "no second one")
	hear(true, false, 1)
	hear(false, true, 1)
	hear(true, false, 1)
	admits(false, "never two successes in a row")
	hear(true, false, 1)
	admits(true, "two successes in a row")
	hear(false, true, 2)
	admits(true, "the count begins anew")
	if !(*kafkaGate)(nil).admits(now) {
		t.Error("no gate is an open one")
	}
}
