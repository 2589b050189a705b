//go:build real

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg/console"
)

// TestWhatIsTooLargeForATopicIsADeadLetterThatCanBeReplayed drives the commands
// against a running node: the neighbours of the large event get through, and it
// does once the topic takes more.
func TestWhatIsTooLargeForATopicIsADeadLetterThatCanBeReplayed(t *testing.T) {
	topic := uniqueTopic("small")
	makeTopic(t, topic, 1, map[string]string{"max.message.bytes": "20000"})
	n := prepareNode(t, kafkaRoute(t, topic)).kept().run()
	large := func(id string) string {
		return fmt.Sprintf(`{"event_type":"order.created","event_id":%q,"x":%q}`, id, strings.Repeat("x", 50_000))
	}
	var neighbours []string
	var all sync.WaitGroup
	sendIt := func(id, body string) {
		all.Go(func() {
			if status, answer, _ := trySend(http.DefaultClient, n.url(), body); status != http.StatusAccepted {
				t.Errorf("%s: %d %s", id, status, answer)
			}
		})
	}
	for i := range 100 {
		id := fmt.Sprint("neighbour-", i)
		neighbours = append(neighbours, id)
		sendIt(id, orderEvent(id))
		if i == 30 || i == 60 {
			sendIt("large", large(fmt.Sprint("large-", i)))
		}
	}
	all.Wait()
	n.drained()
	arrive(t, neighbours, func() map[string]int { return kept(t, topic) })

	letters := n.letters("--reason", "too_large", "--route", "all", "--since", "1h")
	if len(letters) != 2 {
		t.Fatalf("%d dead letters, want 2", len(letters))
	}
	d := letters[0]
	if d.Reason != "too_large" || d.Route != "all" || d.Destination != "kafka://"+service(t, "KEG_TEST_KAFKA")+"/"+topic || d.Attempts != 1 || d.Error == "" || d.Died.IsZero() {
		t.Errorf("%+v", d)
	}
	status, stdout, _ := n.keg("deadletters", "show", d.ID)
	for _, want := range []string{"too_large, after 1 attempt\n", d.Named().ID, topic, `"x": "xxx`} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("show: %d, no %q in %.600s", status, want, stdout)
		}
	}
	status, stdout, _ = n.keg("deadletters", "show", d.ID, "--output", "json")
	var shown console.DeadLetter
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || status != 0 || shown.DataBytes < 50_000 || shown.Named().ID != d.Named().ID {
		t.Errorf("show --output json: %d %v %.300s", status, err, stdout)
	}
	if got := n.metric("keg_dead_letters_stored", `reason="too_large"`); got != 2 {
		t.Errorf("keg_dead_letters_stored is %v", got)
	}

	if status, stdout, stderr := n.keg("deadletters", "drop", letters[1].ID); status != 0 || stdout != "1 dead letter dropped\n" {
		t.Errorf("drop: %d %q %q", status, stdout, stderr)
	}
	// Nothing has changed, and so it dies again.
	if status, stdout, stderr := n.keg("deadletters", "replay", d.ID, "--output", "json"); status != 0 || !strings.Contains(stdout, `"done":1`) {
		t.Errorf("replay: %d %q %q", status, stdout, stderr)
	}
	n.eventually("the event is a dead letter again", func() bool {
		letters = n.letters()
		return len(letters) == 1 && letters[0].Died.After(d.Died)
	})
	setTopic(t, topic, "max.message.bytes", "1048588")
	if status, stdout, stderr := n.keg("deadletters", "replay", "--reason", "too_large"); status != 0 || stdout != "1 dead letter replayed\n" {
		t.Errorf("replay: %d %q %q", status, stdout, stderr)
	}
	n.drained()
	arrive(t, []string{d.Named().ID}, func() map[string]int { return kept(t, topic) })
	if left := n.letters(); len(left) != 0 {
		t.Errorf("%d dead letters are left, the first %+v", len(left), left[0])
	}
	if got := kept(t, topic)[letters[0].Named().ID]; got != 1 {
		t.Errorf("the replayed event is in the topic %d times", got)
	}
	if got := n.metric("keg_dead_letters_replayed_total"); got != 2 {
		t.Errorf("keg_dead_letters_replayed_total is %v", got)
	}
}

// letters are the dead letters of a running node, by its command.
func (n *servedNode) letters(flags ...string) (all []*console.DeadLetter) {
	n.t.Helper()
	status, stdout, stderr := n.keg(append([]string{"deadletters", "list", "--limit", "0", "--output", "json"}, flags...)...)
	if status != 0 {
		n.t.Fatalf("deadletters list: %d %s", status, stderr)
	}
	decoder := json.NewDecoder(strings.NewReader(stdout))
	for decoder.More() {
		d := new(console.DeadLetter)
		do(n.t, decoder.Decode(d))
		all = append(all, d)
	}
	return all
}

// TestKegHealthThroughANodesLife asks a node on a database that is away at
// first, comes, goes, and comes back.
func TestKegHealthThroughANodesLife(t *testing.T) {
	to := newCollector(t).on(t)
	n := prepareNode(t, httpRoute(to.address, ""), "KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL="+newSchema(t))
	ask := func(args ...string) (int, string) {
		status, stdout, stderr := n.keg(append([]string{"health"}, args...)...)
		return status, stdout + stderr
	}
	if status, said := ask(); status != exitFailure || !strings.Contains(said, n.status) {
		t.Errorf("before it runs: %d %s", status, said)
	}
	control(t, "stop", "postgres")
	n.launch()
	n.until("status listens")
	if status, said := ask(); status != exitFailure || !strings.Contains(said, "not ready: the node is starting; the store takes nothing: the store is being opened") {
		t.Errorf("starting: %d %s", status, said)
	}
	if status, said := ask("--live"); status != 0 || said != "the node lives\n" {
		t.Errorf("starting, --live: %d %s", status, said)
	}
	control(t, "start", "postgres")
	n.eventually("it is ready", func() bool { status, _ := ask(); return status == 0 })
	n.eventually("it says what it has", func() bool {
		_, said := ask()
		return said == "ready; store ok, 0 waiting, 0 dead letters; 1 destination\n"
	})
	control(t, "stop", "postgres")
	n.eventually("it is not ready", func() bool { status, _ := ask(); return status == exitFailure })
	if _, said := ask(); !strings.HasPrefix(said, "keg: not ready: the store takes nothing: the database ") {
		t.Errorf("the store is away: %s", said)
	}
	control(t, "start", "postgres")
	n.eventually("it is ready again", func() bool { status, _ := ask(); return status == 0 })

	// A destination that takes its time keeps it from stopping at once.
	to.mu.Lock()
	to.slow = 5 * time.Second
	to.mu.Unlock()
	if status, answer, _ := trySend(http.DefaultClient, n.url(), orderEvent("last")); status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
	n.eventually("the attempt is under way", func() bool { return to.all()["last"] == 1 })
	ended := make(chan int, 1)
	go func() { ended <- n.stop() }()
	n.eventually("it says that it stops", func() bool {
		status, said := ask()
		return status == exitFailure && strings.Contains(said, "not ready: the node is stopping")
	})
	if status := <-ended; status != 0 {
		t.Errorf("exit status %d", status)
	}
	if to.all()["last"] != 1 {
		t.Error("the attempt under way was cut short")
	}
}
