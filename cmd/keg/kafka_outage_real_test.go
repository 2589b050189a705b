//go:build real

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg/console"
)

// TestStoredEventsOutliveAnOutageOfKafka stops the broker for half a minute
// under load: senders hear 202 all the while, no attempt is spent, and the node
// says how it is.
func TestStoredEventsOutliveAnOutageOfKafka(t *testing.T) {
	topic := uniqueTopic("stored")
	makeTopic(t, topic, 3, nil)
	n := prepareNode(t, kafkaRoute(t, topic)).kept().run()
	load := startSending(t, 4, 20*time.Millisecond, n.url())
	load.more(t, 300)

	away := time.Now()
	control(t, "stop", "kafka")
	n.eventually("the breaker is open", func() bool { return n.breaker() == console.Open })
	before := n.readiness()
	load.more(t, 300)
	n.eventually("what waits is told", func() bool {
		return n.readiness().Store.Waiting > before.Store.Waiting && n.metric("keg_backlog_deliveries") > 100
	})
	for time.Since(away) < 30*time.Second {
		r := n.readiness()
		if !r.Ready || r.Store.Status != "ok" || len(r.Destinations) != 1 || r.Destinations[0].Breaker == console.Closed {
			t.Errorf("while its destination is away the node says %+v", r)
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if state := n.metric("keg_breaker_state"); state != 1 && state != 2 {
		t.Errorf("keg_breaker_state is %v", state)
	}
	if status, stdout, stderr := n.keg("health"); status != 0 || !strings.Contains(stdout, "1 away: kafka://") {
		t.Errorf("keg health: %d %q %q", status, stdout, stderr)
	}
	if age := n.metric("keg_backlog_oldest_age_seconds"); age < 15 {
		t.Errorf("the oldest delivery is told to have waited for %v s", age)
	}
	control(t, "start", "kafka")
	back := time.Now()
	n.eventually("the breaker is closed", func() bool { return n.breaker() == console.Closed })
	t.Logf("away for %v; closed %v after it was back", back.Sub(away).Round(time.Second), time.Since(back).Round(time.Second/10))
	load.more(t, 300)
	load.stop()
	load.only(t) // nobody heard anything but 202
	n.drained()
	arrive(t, load.ids(), func() map[string]int { return kept(t, topic) })
	if r := n.readiness(); r.Store.DeadLetters != 0 {
		t.Errorf("%d dead letters of an outage: %s", r.Store.DeadLetters, n.said())
	}
	n.eventually("the metrics tell that nothing waits", func() bool { return n.metric("keg_backlog_deliveries") == 0 })
	sent := float64(len(load.ids()))
	if got := n.metric("keg_deliveries_total", `outcome="delivered"`); got != sent {
		t.Errorf("keg_deliveries_total is %v, and %v events were sent", got, sent)
	}
	if got := n.metric("keg_events_total", `outcome="stored"`); got != sent {
		t.Errorf("keg_events_total is %v, and %v events were sent", got, sent)
	}
	if got := n.metric("keg_dead_letters_total"); got != 0 {
		t.Errorf("keg_dead_letters_total is %v", got)
	}
	n.onlyKnownMetrics()
	n.until(`msg="a destination is away`)
	n.until(`msg="a destination is back"`)
	if status := n.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// breaker is that of the only destination.
func (n *servedNode) breaker() console.Breaker {
	r := n.readiness()
	if len(r.Destinations) != 1 {
		return ""
	}
	return r.Destinations[0].Breaker
}

// onlyKnownMetrics holds the names of a running node to the list that the
// console's tests keep.
func (n *servedNode) onlyKnownMetrics() {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "console", "testdata", "metrics.txt"))
	do(n.t, err)
	known := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "\t")
		known[name] = true
	}
	ours := 0
	for sample := range n.metrics() {
		name, _, _ := strings.Cut(sample, "{")
		if !strings.HasPrefix(name, "keg_") {
			continue
		}
		ours++
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if whole := strings.TrimSuffix(name, suffix); known[whole] {
				name = whole
			}
		}
		if !known[name] {
			n.t.Errorf("the metric %s is not in metrics.txt", name)
		}
	}
	if ours < 20 {
		n.t.Errorf("only %d samples are KEG's", ours)
	}
}

// TestATopicThatIsDeletedAndMadeAgainUnderLoad: what was delivered went with the
// topic; what is answered from then on is in the new one.
func TestATopicThatIsDeletedAndMadeAgainUnderLoad(t *testing.T) {
	topic := uniqueTopic("again")
	makeTopic(t, topic, 3, nil)
	n := prepareNode(t, kafkaRoute(t, topic)).kept().run()
	load := startSending(t, 8, 10*time.Millisecond, n.url())
	load.more(t, 200)
	removeTopic(t, topic)
	time.Sleep(2 * time.Second) // for the broker to do what it has promised
	gone := len(load.ids())
	load.more(t, 200)
	time.Sleep(3 * time.Second)
	makeTopic(t, topic, 1, nil) // with fewer partitions
	load.more(t, 300)
	load.stop()
	load.only(t)
	n.drained()
	arrive(t, load.ids()[gone:], func() map[string]int { return kept(t, topic) })
	if r := n.readiness(); r.Store.DeadLetters != 0 {
		_, letters, _ := n.keg("deadletters", "list")
		t.Errorf("%d dead letters of a topic that was away:\n%s", r.Store.DeadLetters, letters)
	}
}
