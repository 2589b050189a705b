//go:build real && linux

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestATailThatIsCorruptIsCutAndToldOf damages the end of the newest log of a
// store that was killed: only what lay there is gone.
func TestATailThatIsCorruptIsCutAndToldOf(t *testing.T) {
	to := newCollector(t)
	n := prepareNode(t, httpRoute(to.address, "")).kept().run()
	var ids []string
	for i := range 300 {
		ids = append(ids, fmt.Sprint("event-", i))
		if status, answer, _ := trySend(http.DefaultClient, n.url(), orderEvent(ids[i])); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, answer)
		}
	}
	n.kill()
	damageNewestLog(t, n.store())
	n.run()
	r := n.readiness()
	n.eventually("what was cut is counted", func() bool {
		r = n.readiness()
		return r.Store.StoreCounts != nil && r.Store.CutTails > 0
	})
	if got := n.metric("keg_store_cut_tails_total"); got != float64(r.Store.CutTails) {
		t.Errorf("keg_store_cut_tails_total is %v, and /readyz says %d", got, r.Store.CutTails)
	}
	if !strings.Contains(n.said(), "level=ERROR") && !strings.Contains(n.said(), "level=WARN") {
		t.Errorf("the log says nothing of it:\n%s", n.said())
	}
	t.Logf("the log: %s", n.said())
	to.on(t)
	n.drained()
	missing := absent(ids, to.all())
	t.Logf("%d of %d are gone: %v", len(missing), len(ids), missing)
	if len(missing) > 3 || !slices.Equal(missing, ids[len(ids)-len(missing):]) {
		t.Errorf("more is gone than what was damaged: %v", missing)
	}
	if status, answer, _ := trySend(http.DefaultClient, n.url(), orderEvent("after")); status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
	arrive(t, []string{"after"}, to.all)
}

// damageNewestLog flips the last bytes that are not zero.
func damageNewestLog(t *testing.T, folder string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(folder, "*.log"))
	do(t, err)
	if len(logs) == 0 {
		t.Fatal("the store has no log")
	}
	newest := slices.Max(logs) // of one length
	text, err := os.ReadFile(newest)
	do(t, err)
	end := len(bytes.TrimRight(text, "\x00"))
	for i := end - 8; i < end; i++ {
		text[i] ^= 0xff
	}
	do(t, os.WriteFile(newest, text, 0o600))
}

// fill posts large events until one is refused, which it checks, and returns the
// ids of the others.
func (n *servedNode) fill(most int) (safe []string) {
	n.t.Helper()
	data := strings.Repeat("x", 700_000)
	for i := range most {
		id := fmt.Sprint("large-", i)
		status, answer, retryAfter := trySend(http.DefaultClient, n.url(), fmt.Sprintf(`{"event_type":"order.created","event_id":%q,"x":%q}`, id, data))
		if status == http.StatusServiceUnavailable {
			if retryAfter == "" || !strings.Contains(answer, "full") {
				n.t.Errorf("Retry-After: %q, %s", retryAfter, answer)
			}
			return safe
		}
		if status != http.StatusAccepted {
			n.t.Fatalf("%d %s", status, answer)
		}
		safe = append(safe, id)
	}
	n.t.Fatalf("%d large events, and the store is not full", most)
	return nil
}

// takesAgain waits until events are taken.
func (n *servedNode) takesAgain() {
	n.t.Helper()
	n.eventually("events are taken again", func() bool {
		status, _, _ := trySend(http.DefaultClient, n.url(), orderEvent("after"))
		return status == http.StatusAccepted
	})
	n.eventually("the node is ready again", func() bool { return n.readiness().Ready })
}

func TestAStoreThatHasReachedItsBoundTakesEventsAgainWhenItHasRoom(t *testing.T) {
	to := newCollector(t)
	n := prepareNode(t, httpRoute(to.address, ""), "KEG_PERSISTENCE_MAX_BYTES=64MiB").kept().run()
	safe := n.fill(500)
	if status, _, stderr := n.keg("health"); status != exitFailure || !strings.Contains(stderr, "the store is full") {
		t.Errorf("keg health: %d %s", status, stderr)
	}
	to.on(t)
	arrive(t, safe, to.all)
	n.takesAgain()
	if status := n.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// TestAFullDisk fills a file system of its own, which then grows.
func TestAFullDisk(t *testing.T) {
	to := newCollector(t)
	n := prepareNode(t, httpRoute(to.address, "")).kept()
	mkdir(t, n.store())
	if err := syscall.Mount("none", n.store(), "tmpfs", 0, "size=96m"); err != nil {
		t.Fatalf("no file system can be mounted here (%v): run the tests of real services as root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(n.store(), syscall.MNT_DETACH) })
	n.run()
	safe := n.fill(500)
	n.eventually("the node says why it is not ready", func() bool {
		status, _, stderr := n.keg("health")
		return status == exitFailure && strings.Contains(stderr, "full")
	})
	time.Sleep(2 * time.Second) // of trying
	if status, _, _ := n.keg("health", "--live"); status != 0 {
		t.Errorf("it has not survived:\n%s", n.said())
	}
	do(t, syscall.Mount("none", n.store(), "tmpfs", syscall.MS_REMOUNT, "size=400m"))
	n.takesAgain()
	to.on(t)
	arrive(t, safe, to.all)
	n.drained()
	if status := n.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
