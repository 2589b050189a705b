package embedded_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/test/logtest"
)

// killed copies a store's files as they are while it runs, as kill -9 leaves
// them.
func killed(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// newest is the last file of a directory that matches.
func newest(t *testing.T, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return slices.Max(files)
}

// change rewrites a file.
func change(t *testing.T, path string, with func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, with(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The log's tail is torn or flipped: the store starts, has what comes before,
// says so, and takes events again; the next start has nothing to say.
func TestADamagedLogIsCut(t *testing.T) {
	source := t.TempDir()
	s := open(t, source, embedded.Options{})
	const n = 50
	for i := range n {
		if err := put(s, fmt.Sprint(i), 2000); err != nil {
			t.Fatal(err)
		}
	}
	dir := killed(t, source)
	closed(t, s)
	end := func(b []byte) int { return len(bytes.TrimRight(b, "\x00")) }
	for name, test := range map[string]struct {
		with func([]byte) []byte
		cut  bool
		left func(n int) bool
	}{
		"not at all":            {func(b []byte) []byte { return b }, false, func(got int) bool { return got == n }},
		"torn":                  {func(b []byte) []byte { return b[:end(b)-100] }, true, func(got int) bool { return got == n-1 }},
		"torn, then zeros":      {func(b []byte) []byte { at := end(b); clear(b[at-100:]); return b }, true, func(got int) bool { return got == n-1 }},
		"a bit of the last":     {func(b []byte) []byte { b[end(b)-100] ^= 1; return b }, true, func(got int) bool { return got == n-1 }},
		"a bit in the middle":   {func(b []byte) []byte { b[end(b)/2] ^= 1; return b }, true, func(got int) bool { return got > n/4 && got < n }},
		"a block in the middle": {func(b []byte) []byte { at := end(b) / 2; clear(b[at : at+4096]); return b }, true, func(got int) bool { return got > n/4 && got < n }},
		"all of it":             {func(b []byte) []byte { return bytes.Repeat([]byte{0xFF}, len(b)) }, false, func(got int) bool { return got == 0 }},
		"no bytes":              {func([]byte) []byte { return nil }, false, func(got int) bool { return got == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := killed(t, dir)
			change(t, newest(t, dir, "*.log"), test.with)
			var log logtest.Log
			s := open(t, dir, embedded.Options{Log: log.Logger()})
			stats, err := s.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if test.cut && (stats.CutTails == 0 || !strings.Contains(log.String(), "level=ERROR") || newest(t, dir, "damaged/*.log") == "") {
				t.Errorf("%d cuts; the log says\n%s", stats.CutTails, &log)
			}
			if err := put(s, "new", 10); err != nil {
				t.Fatal(err)
			}
			got := left(t, s)
			if !slices.Contains(got, "new") || !test.left(len(got)-1) {
				t.Errorf("%d are left: %v", len(got), got)
			}
			for i, id := range got[:len(got)-1] {
				if id != fmt.Sprint(i) {
					t.Fatalf("the %d. is %s", i, id)
				}
			}
			closed(t, s)
			s = open(t, dir, embedded.Options{})
			if stats, err := s.Stats(t.Context()); err != nil || stats.CutTails > 0 {
				t.Errorf("the next start: %d cuts, %v", stats.CutTails, err)
			}
			closed(t, s)
		})
	}
}

// A block of a table is damaged: what lies in it is set aside, all the rest
// comes, and work goes on.
func TestADamagedTableLosesItsBlockAlone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, embedded.Options{})
	const n = 600
	var entries []*outbox.Entry
	for i := range n { // two of each key
		entries = append(entries, &outbox.Entry{Event: &keg.Event{ID: fmt.Sprint(i), Source: "s", Type: "t", Data: bytes.Repeat([]byte{byte(i)}, 1000)},
			Owed: []*outbox.Owed{{Queue: faultQueue, Key: fmt.Sprint(i % 300)}}})
	}
	if err := s.Put(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	closed(t, open(t, dir, embedded.Options{})) // a start writes the log into a table
	change(t, newest(t, dir, "*.sst"), func(b []byte) []byte {
		for i := range 100 {
			b[len(b)/2+i] ^= 0x55
		}
		return b
	})
	var log logtest.Log
	s = open(t, dir, embedded.Options{Log: log.Logger()})
	defer closed(t, s)
	seen := map[string]bool{}
	for range 2 * n {
		deliveries, err := s.Claim(t.Context(), faultQueue, 10, math.MaxInt64)
		if err != nil {
			t.Fatalf("Claim: %v\n%s", err, &log)
		}
		if len(deliveries) == 0 {
			if queues, _, err := s.Ready(t.Context()); err != nil || len(queues) == 0 {
				break
			}
		}
		for _, d := range deliveries {
			seen[d.Event.ID] = true
			if err := s.Settle(t.Context(), &outbox.Settlement{Delivery: d}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(seen) < n-200 || len(seen) == n {
		t.Errorf("%d of %d came\n%s", len(seen), n, &log)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.CutTails == 0 || len(log.Lines("set aside")) == 0 {
		t.Errorf("%d cuts, %v; the log says\n%s", stats.CutTails, err, &log)
	}
	if err := put(s, "new", 10); err != nil {
		t.Fatal(err)
	}
	if got := left(t, s); !slices.Contains(got, "new") {
		t.Errorf("left: %v", got)
	}
	newest(t, dir, "damaged/*")
	if stats, err := s.Stats(t.Context()); err != nil || len(stats.Queues) > 0 {
		t.Errorf("nothing waits, and the stats say %+v, %v", stats.Queues, err)
	}
}
