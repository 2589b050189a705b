package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be a store is told of at start, and nothing in it is changed.
func TestAStoreThatCannotBeUsedIsRefusedAtStart(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("file"), "mine")
	mkdir(t, at("foreign"))
	write(t, at("foreign/letters.txt"), "mine")
	mkdir(t, at("newer"))
	write(t, at("newer/KEG-STORE"), "KEG event store, format 99\n")
	mkdir(t, at("garbled"))
	write(t, at("garbled/KEG-STORE"), "not a format")
	link(t, at("loop"), at("loop")) // which not even root can read
	mkdir(t, at("closed"))
	if os.Geteuid() != 0 {
		do(t, os.Chmod(at("closed"), 0))
		t.Cleanup(func() { _ = os.Chmod(at("closed"), 0o700) })
	}
	for name, want := range map[string][]string{
		"file":     {"not a directory", "name another directory"},
		"file/keg": {"not a directory", "name another directory"},
		"foreign":  {"no event store", "letters.txt", "Name an empty directory"},
		"newer":    {"later version", "format 99", "name another directory"},
		"garbled":  {"KEG-STORE", "not a format", "backup"},
		"loop":     {"cannot be used", "symbolic links"},
		"closed":   {"permission denied", "right to read"},
	} {
		if name == "closed" && os.Geteuid() == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			n := prepareNode(t, httpRoute("127.0.0.1:1", ""), "KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=file://"+at(name))
			n.launch()
			if status := n.wait(); status != exitUsage {
				t.Errorf("exit status %d", status)
			}
			for _, want := range append(want, at(name)) {
				if !strings.Contains(n.said(), want) {
					t.Errorf("says nothing of %q:\n%s", want, n.said())
				}
			}
		})
	}
	if text, err := os.ReadFile(at("file")); err != nil || string(text) != "mine" {
		t.Errorf("the file holds %q now (%v)", text, err)
	}
	for name, want := range map[string]int{"foreign": 1, "newer": 1, "garbled": 1} {
		if entries, err := os.ReadDir(at(name)); err != nil || len(entries) != want {
			t.Errorf("%s holds %v now (%v)", name, entries, err)
		}
	}
}

func TestASecondProcessOnAStoreIsRefusedAndHarmsNothing(t *testing.T) {
	to := newCollector(t)
	first := prepareNode(t, httpRoute(to.address, "")).kept().run()
	if status, answer, _ := trySend(http.DefaultClient, first.url(), orderEvent("one")); status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
	second := prepareNode(t, httpRoute(to.address, ""), "KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=file://"+first.store())
	second.launch()
	if status := second.wait(); status != exitUsage || !strings.Contains(second.said(), "another process is using it") {
		t.Errorf("%d %s", status, second.said())
	}
	if status, answer, _ := trySend(http.DefaultClient, first.url(), orderEvent("two")); status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
	to.on(t)
	arrive(t, []string{"one", "two"}, to.all)
}
