package embedded_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/test/logtest"
)

// TestMainOfAnotherProcess is what the test below starts; by itself it does
// nothing.
func TestMainOfAnotherProcess(t *testing.T) {
	dir := os.Getenv("KEG_TEST_STORE")
	if dir == "" {
		t.Skip("it is started by another test")
	}
	_, err := embedded.Open(dir, embedded.Options{})
	if !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "Stop that process") {
		t.Fatalf("Open: %v", err)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, embedded.Options{})
	defer closed(t, s)
	if _, err := embedded.Open(dir, embedded.Options{}); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("the same process: %v", err)
	}
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestMainOfAnotherProcess$", "-test.v")
	other.Env = append(os.Environ(), "KEG_TEST_STORE="+dir)
	if out, err := other.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestMainOfAnotherProcess") {
		t.Errorf("another process: %v\n%s", err, out)
	}
	if err := put(s, "1", 10); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestOnlyItsOwnerReadsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, embedded.Options{})
	defer closed(t, s)
	if err := put(s, "1", 10); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && entry.Name() != "LOCK" {
			t.Errorf("%s: %v", entry.Name(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNoStoreIsLeftAlone(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  error
		words []string
	}{
		"somebody's files":  {map[string]string{"notes.txt": "mine"}, embedded.ErrForeign, []string{"notes.txt", "empty directory"}},
		"another Pebble":    {map[string]string{"MANIFEST-000001": "x", "LOCK": ""}, embedded.ErrForeign, []string{"MANIFEST-000001"}},
		"a newer format":    {map[string]string{"KEG-STORE": "KEG event store, format 2\n"}, embedded.ErrNewer, []string{"format 2", "later version"}},
		"an odd marker":     {map[string]string{"KEG-STORE": "\x00\x01"}, embedded.ErrUnreadable, []string{"KEG-STORE"}},
		"a manifest broken": {map[string]string{"KEG-STORE": "KEG event store, format 1\n", "marker.manifest.000001.MANIFEST-000001": "", "MANIFEST-000001": "no manifest"}, embedded.ErrUnreadable, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := embedded.Open(dir, embedded.Options{Log: new(logtest.Log).Logger()})
			if !errors.Is(err, test.want) {
				t.Fatalf("Open: %v", err)
			}
			for _, word := range append(test.words, dir) {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			for file, text := range test.files {
				if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != text {
					t.Errorf("%s: %q, %v", file, got, err)
				}
			}
		})
	}
}

func TestADirectoryThatIsAFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(path, embedded.Options{}); !errors.Is(err, embedded.ErrUnreadable) || !strings.Contains(err.Error(), path) {
		t.Fatalf("Open: %v", err)
	}
}

func TestAStartThatWasCutShortIsBegunAgain(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"LOCK", "KEG-STORE.new"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, open(t, dir, embedded.Options{}))
}
