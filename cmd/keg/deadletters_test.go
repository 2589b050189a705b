package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/console"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

// letterBox is an embedded store with dead letters: so many of route orders, one
// of route audit, one that no source could decode.
func letterBox(t *testing.T, orders int) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "store")
	store := openBox(t, folder)
	died := time.Now().Add(-time.Hour)
	put := func(id, route, destination string, reason keg.Reason, data string) {
		err := store.Put(t.Context(), &outbox.Entry{
			Event: &keg.Event{ID: id, Source: "shop", Type: "order.created", DataContentType: "application/json", Data: []byte(data)},
			Owed: []*outbox.Owed{{Queue: outbox.Queue{Route: route, Destination: destination}, Dead: &keg.DeadLetter{
				Reason: reason, Error: "503 Service\x1b[31m Unavailable", Status: 503, Attempts: 3, Accepted: died.Add(-time.Hour), Died: died,
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range orders {
		put(fmt.Sprint("o-", i), "orders", "kafka://k:9092/orders", keg.ReasonExhausted, `{"total":7}`)
	}
	put("a-0", "audit", "https://audit.internal/events", keg.ReasonRefused, `{}`)
	put("u-0", "", "", keg.ReasonUndecodable, `{`)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

func openBox(t *testing.T, folder string) outbox.Store {
	t.Helper()
	store, err := embedded.Open(folder, embedded.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// eachWay runs a test of the commands on a store that no node has open, and on a
// running node.
func eachWay(t *testing.T, test func(t *testing.T, keg func(args ...string) (int, string, string))) {
	t.Run("store", func(t *testing.T) {
		env := []string{"KEG_PERSISTENCE_URL=file://" + letterBox(t, 3), "KEG_STATUS_LISTEN=" + newSwitchedServer(t).address}
		test(t, func(args ...string) (int, string, string) {
			return runKeg(t, env, append([]string{"deadletters"}, args...)...)
		})
	})
	t.Run("node", func(t *testing.T) {
		address, _ := nodeWithLetters(t, 3)
		test(t, func(args ...string) (int, string, string) {
			return runKeg(t, []string{"KEG_STATUS_LISTEN=" + address}, append([]string{"deadletters"}, args...)...)
		})
	})
}

func nodeWithLetters(t *testing.T, orders int) (address string, store outbox.Store) {
	t.Helper()
	store = openBox(t, letterBox(t, orders))
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return startStatus(t, &console.Node{Store: store, Republish: func(ctx context.Context, d *keg.DeadLetter) error {
		if d.Reason == keg.ReasonUndecodable {
			return &keg.UnroutedError{}
		}
		_, err := store.Drop(ctx, d.ID)
		return err
	}}), store
}

func TestDeadLettersAreListedForPeopleAndForPrograms(t *testing.T) {
	eachWay(t, func(t *testing.T, keg func(args ...string) (int, string, string)) {
		status, stdout, stderr := keg("list")
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if status != 0 || len(lines) != 6 {
			t.Fatalf("%d %q %q", status, stdout, stderr)
		}
		if got := strings.Fields(lines[0]); strings.Join(got, " ") != "ID WHEN ROUTE DESTINATION REASON ATTEMPTS EVENT ERROR" {
			t.Errorf("%q", got)
		}
		if got := strings.Fields(lines[1]); len(got) < 9 || strings.Join(got[2:8], " ") != "orders kafka://k:9092/orders exhausted 3 order.created o-0" {
			t.Errorf("%q", got)
		}
		if strings.Contains(stdout, "\x1b") {
			t.Error("what a destination said reaches the terminal as it is")
		}
		status, stdout, _ = keg("list", "--route", "orders", "--since", "2h", "--output", "json", "--data")
		decoder := json.NewDecoder(strings.NewReader(stdout))
		n := 0
		for ; decoder.More(); n++ {
			var d struct {
				ID, Route string
				Event     struct {
					ID   string
					Data struct{ Total int }
				}
			}
			if err := decoder.Decode(&d); err != nil || d.Route != "orders" || d.Event.ID != fmt.Sprint("o-", n) || d.Event.Data.Total != 7 || d.ID == "" {
				t.Errorf("%+v %v", d, err)
			}
		}
		if status != 0 || n != 3 || strings.Count(stdout, "\n") != 3 {
			t.Errorf("%d %s", status, stdout)
		}
		status, stdout, stderr = keg("list", "--limit", "2")
		next := regexp.MustCompile(`--after (\S+)`).FindStringSubmatch(stderr)
		if status != 0 || strings.Count(stdout, "\n") != 3 || next == nil {
			t.Fatalf("%d %q %q", status, stdout, stderr)
		}
		if status, stdout, stderr := keg("list", "--after", next[1]); status != 0 || strings.Count(stdout, "\n") != 4 || strings.Contains(stderr, "--after") {
			t.Errorf("the rest: %d %q %q", status, stdout, stderr)
		}
		if status, stdout, stderr := keg("list", "--until", "3h"); status != 0 || stdout != "" || !strings.Contains(stderr, "there are none") {
			t.Errorf("none: %d %q %q", status, stdout, stderr)
		}
	})
}

// firstID is the id of the first dead letter that the flags select.
func firstID(t *testing.T, keg func(args ...string) (int, string, string), flags ...string) string {
	t.Helper()
	_, stdout, stderr := keg(append([]string{"list", "--output", "json", "--limit", "1"}, flags...)...)
	var d struct{ ID string }
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || d.ID == "" {
		t.Fatal(stdout, stderr, err)
	}
	return d.ID
}

func TestOneDeadLetterIsShownWithItsStoryAndItsEvent(t *testing.T) {
	eachWay(t, func(t *testing.T, keg func(args ...string) (int, string, string)) {
		id := firstID(t, keg, "--route", "orders")
		status, stdout, stderr := keg("show", id)
		for _, want := range []string{id, "orders", "kafka://k:9092/orders", "exhausted, after 3 attempts", "503", "given up", `"id": "o-0"`, `"total": 7`} {
			if status != 0 || !strings.Contains(stdout, want) {
				t.Errorf("%d: no %q in\n%s%s", status, want, stdout, stderr)
			}
		}
		status, stdout, _ = keg("show", id, "--output", "json")
		var d console.DeadLetter
		if err := json.Unmarshal([]byte(stdout), &d); err != nil || status != 0 || d.ID != id || d.Named().ID != "o-0" {
			t.Errorf("%d %s %v", status, stdout, err)
		}
		if status, _, stderr := keg("show", "nosuch"); status != exitFailure || !strings.Contains(stderr, "no dead letter of that id") {
			t.Errorf("%d %s", status, stderr)
		}
	})
}

func TestDeadLettersAreReplayedAndDroppedBySelection(t *testing.T) {
	eachWay(t, func(t *testing.T, keg func(args ...string) (int, string, string)) {
		for _, step := range []struct {
			args   []string
			status int
			says   string
			left   int
		}{
			{[]string{"replay"}, exitUsage, "which ones?", 5},
			{[]string{"drop"}, exitUsage, "which ones?", 5},
			{[]string{"drop", "--all"}, exitUsage, "--yes", 5}, // nobody sits there
			{[]string{"drop", "--reason", "bored"}, exitUsage, "exhausted", 5},
			{[]string{"drop", "--since", "yesterday"}, exitUsage, "--since", 5},
			{[]string{"drop", "nosuch"}, exitFailure, "0 dead letters dropped, 1 left", 5},
			{[]string{"drop", firstID(t, keg, "--route", "orders")}, 0, "1 dead letter dropped\n", 4},
			{[]string{"replay", "--route", "orders", "--limit", "1"}, 0, "1 dead letter replayed\n", 3},
			{[]string{"replay", "--all"}, 0, "2 dead letters replayed, 1 left: not there any more, or never owed to a destination", 1},
			{[]string{"replay", firstID(t, keg, "--reason", "undecodable")}, exitFailure, "0 dead letters replayed, 1 left", 1},
			{[]string{"drop", "--all", "--yes", "-o", "json"}, 0, `{"total":1,"done":1,"left":0,"failed":0}`, 0},
		} {
			status, stdout, stderr := keg(step.args...)
			if status != step.status || !strings.Contains(stdout+stderr, step.says) {
				t.Errorf("%v: %d %q %q", step.args, status, stdout, stderr)
			}
			if _, stdout, _ := keg("list", "-o", "json"); strings.Count(stdout, "\n") != step.left {
				t.Errorf("%v leaves\n%s", step.args, stdout)
			}
		}
	})
}

func TestAReplayThroughTheRoutesNeedsANode(t *testing.T) {
	folder := letterBox(t, 1)
	status, _, stderr := runKeg(t, []string{"KEG_STATUS_LISTEN=off"}, "deadletters", "replay", "--all", "--through-routes", "--persistence-url", "file://"+folder)
	if status != exitFailure || !strings.Contains(stderr, "running node") {
		t.Errorf("%d %s", status, stderr)
	}
	address, store := nodeWithLetters(t, 3)
	status, stdout, stderr := runKeg(t, nil, "deadletters", "replay", "--all", "--through-routes", "--status-listen", address)
	if status != exitFailure || !strings.Contains(stdout, "4 dead letters replayed, 1 failed\n") || !strings.Contains(stdout, "no route takes this event") {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	if left, err := store.DeadLetters(t.Context(), outbox.Filter{}, "", 10); err != nil || len(left) != 1 {
		t.Errorf("%d are left, %v", len(left), err)
	}
}

// What was replayed while no node ran is owed when one starts.
func TestAReplayWithoutANodeIsInTheStore(t *testing.T) {
	folder := letterBox(t, 2)
	if status, _, stderr := runKeg(t, nil, "deadletters", "replay", "--route", "orders", "--persistence-url", "file:"+folder, "--status-listen", "off"); status != 0 || !strings.Contains(stderr, folder) {
		t.Fatalf("%d %s", status, stderr)
	}
	store := openBox(t, folder)
	defer store.Close()
	claimed, err := store.Claim(t.Context(), outbox.Queue{Route: "orders", Destination: "kafka://k:9092/orders"}, 10, 1<<20)
	if err != nil || len(claimed) != 2 || claimed[0].Attempts != 0 {
		t.Errorf("%+v, %v", claimed, err)
	}
}

func TestWhereThereAreNoDeadLettersToAskForItIsSaid(t *testing.T) {
	closed := newSwitchedServer(t).address
	busy := letterBox(t, 1)
	store := openBox(t, busy) // a node that has it, and no status listener
	defer store.Close()
	empty := t.TempDir()
	without := startStatus(t, &console.Node{})
	for name, test := range map[string]struct {
		env  []string
		says string
	}{
		"no node and no store":      {[]string{"KEG_STATUS_LISTEN=" + closed, "KEG_PERSISTENCE_URL=file:///no/such/folder"}, "there is no store in /no/such/folder"},
		"an empty folder":           {[]string{"KEG_STATUS_LISTEN=" + closed, "KEG_PERSISTENCE_URL=file://" + empty}, "there is no store in " + empty},
		"a database":                {[]string{"KEG_STATUS_LISTEN=off", "KEG_PERSISTENCE_URL=postgres://keg:s3cr3t@db/keg"}, "running node alone"},
		"no URL":                    {[]string{"KEG_STATUS_LISTEN=off", "KEG_PERSISTENCE_URL=postgres://keg:s3cr3t@db:x y/keg"}, "KEG_PERSISTENCE_URL: is no URL"},
		"a store that is in use":    {[]string{"KEG_STATUS_LISTEN=off", "KEG_PERSISTENCE_URL=file://" + busy}, "another process"},
		"a node of another machine": {[]string{"KEG_STATUS_LISTEN=203.0.113.1:1", "KEG_PERSISTENCE_URL=file:///no/such/folder"}, "asking the node at 203.0.113.1:1"},
		"a node without a store":    {[]string{"KEG_STATUS_LISTEN=" + without}, "KEG_PERSISTENCE_ENABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := runKeg(t, test.env, "deadletters", "list")
			if status == 0 || stdout != "" || !strings.Contains(stderr, test.says) || strings.Contains(stderr, "s3cr3t") {
				t.Errorf("%d %q %q", status, stdout, stderr)
			}
		})
	}
	if entries, err := filepath.Glob(empty + "/*"); err != nil || len(entries) > 0 {
		t.Errorf("to look made %v", entries)
	}
}

func TestALongWorkShowsHowFarItIs(t *testing.T) {
	var screen bytes.Buffer
	p := &progress{w: &screen, began: time.Now().Add(-time.Minute)}
	for _, done := range []int64{0, 250, 500, 2000} { // more than was counted before
		p.show(console.Progress{Total: 1000, Done: done, Left: 1})
		time.Sleep(110 * time.Millisecond) // the bar moves ten times a second
	}
	p.end()
	if !strings.Contains(screen.String(), "501/1000") {
		t.Errorf("%q", screen.String())
	}
	screen.Reset()
	p = &progress{w: &screen, began: time.Now().Add(-time.Minute)}
	for _, done := range []int64{0, 77} {
		p.show(console.Progress{Total: -1, Done: done})
		time.Sleep(250 * time.Millisecond) // the spinner turns ten times a second
	}
	p.end()
	if !strings.Contains(screen.String(), "77") {
		t.Errorf("%q", screen.String())
	}
	if p := newProgress(&screen, "text"); p.w != nil {
		t.Error("a bar where no terminal is")
	}
	for line, want := range map[string]string{"abc": "abc", "abcdef": "abc…", "äöüß": "äöüß", "äöüßx": "äöü…"} {
		if got := cut(line, 4); got != want {
			t.Errorf("%q is cut to %q", line, got)
		}
	}
}
