package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/sinks"
	"github.com/kong/keg/test/logtest"
)

// followed is a routes file in a folder of its own, followed by a real hub over
// real sinks.
type followed struct {
	t         *testing.T
	dir, path string
	receiver  *httptest.Server
	bearer    atomic.Value // the last Authorization that the receiver got
	log       logtest.Log
	hup       chan os.Signal
	port      *hub.Port
	*reloader
}

// follow follows dir/routes.yaml, which prepare has made; polled tells that nothing
// is watched, and the file is only looked at.
func follow(t *testing.T, prepare func(f *followed), adjust ...func(r *reloader) (polled bool)) *followed {
	t.Helper()
	f := &followed{t: t, dir: t.TempDir(), hup: make(chan os.Signal, 1)}
	f.path = filepath.Join(f.dir, "etc", "routes.yaml")
	mkdir(t, filepath.Dir(f.path))
	f.receiver = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f.bearer.Store(r.Header.Get("Authorization"))
	}))
	t.Cleanup(f.receiver.Close)
	if prepare == nil {
		prepare = func(f *followed) { write(t, f.path, f.routes("old")) }
	}
	prepare(f)

	pool := sinks.NewPool(f.log.Logger())
	h := hub.New(hub.Options{Sinks: pool, Log: f.log.Logger()})
	file := &routesFile{path: f.path, options: routerOptions(3)}
	table, err := file.load()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetTable(table); err != nil {
		t.Fatal(err)
	}
	if f.port, err = h.Open(hub.PortOptions{Name: "test"}); err != nil {
		t.Fatal(err)
	}
	f.reloader = newReloader(file, table, f.hup, h.SetTable, f.log.Logger())
	f.quiet, f.poll = 20*time.Millisecond, time.Hour
	watch := newWatch(f.reloader.log)
	for _, adjust := range adjust {
		if adjust(f.reloader) {
			watch.close()
			watch.watcher = nil
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer watch.close()
		f.reloader.follow(ctx, watch)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := pool.Clients(); n > 0 {
			t.Errorf("%d clients are open after the hub has closed", n)
		}
		_ = pool.Close()
		if t.Failed() {
			t.Logf("the log:\n%s", &f.log)
		}
	})
	return f
}

// routes is a file with one route of that name.
func (f *followed) routes(name string) string {
	return fmt.Sprintf("routes:\n  - name: %s\n    match: {}\n    destinations: [{type: http, address: %q}]\n", name, f.receiver.URL)
}

// inForce is the name of the route that takes an event now.
func (f *followed) inForce() string {
	f.t.Helper()
	receipt := f.port.Publish(f.t.Context(), &keg.Event{ID: "1", Source: "s", Type: "t"})[0]
	if receipt.Err != nil {
		f.t.Fatalf("an event is refused: %v", receipt.Err)
	}
	return strings.Join(receipt.Routes, " ")
}

func (f *followed) await(route string) {
	f.t.Helper()
	eventually(f.t, "route "+route+" is in force", func() bool { return f.inForce() == route })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// link makes a link, or turns one, in one step.
func link(t *testing.T, target, path string) {
	t.Helper()
	do(t, os.Symlink(target, path+".new"), os.Rename(path+".new", path))
}

func TestAFileIsTakenHoweverItIsReplaced(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(f *followed)
		change  func(f *followed, text string)
	}{
		"written in place": {change: func(f *followed, text string) { write(f.t, f.path, text) }},
		"renamed over, as editors do": {change: func(f *followed, text string) {
			write(f.t, f.path+".swp", text)
			do(f.t, os.Rename(f.path+".swp", f.path))
		}},
		"kept as a backup and written anew": {change: func(f *followed, text string) {
			do(f.t, os.Rename(f.path, f.path+"~"))
			write(f.t, f.path, text)
		}},
		"removed, and made again later": {change: func(f *followed, text string) {
			do(f.t, os.Remove(f.path))
			f.log.Await(f.t, "is not taken", 1)
			write(f.t, f.path, text)
		}},
		"a mounted config map": {
			prepare: func(f *followed) {
				etc := filepath.Dir(f.path)
				mkdir(f.t, filepath.Join(etc, "..2026_1"))
				write(f.t, filepath.Join(etc, "..2026_1", "routes.yaml"), f.routes("old"))
				do(f.t, os.Symlink("..2026_1", filepath.Join(etc, "..data")), os.Symlink("..data/routes.yaml", f.path))
			},
			change: func(f *followed, text string) {
				etc := filepath.Dir(f.path)
				mkdir(f.t, filepath.Join(etc, "..2026_2"))
				write(f.t, filepath.Join(etc, "..2026_2", "routes.yaml"), text)
				link(f.t, "..2026_2", filepath.Join(etc, "..data"))
				do(f.t, os.RemoveAll(filepath.Join(etc, "..2026_1")))
			},
		},
		"the file that a link leads to is written": {
			prepare: func(f *followed) {
				mkdir(f.t, filepath.Join(f.dir, "far"))
				write(f.t, filepath.Join(f.dir, "far", "r"), f.routes("old"))
				do(f.t, os.Symlink("../far/r", f.path))
			},
			change: func(f *followed, text string) { write(f.t, filepath.Join(f.dir, "far", "r"), text) },
		},
		"a link to a folder on the way is turned": {
			prepare: func(f *followed) {
				do(f.t, os.Remove(filepath.Dir(f.path)), os.Symlink("v1", filepath.Dir(f.path)))
				mkdir(f.t, filepath.Join(f.dir, "v1"))
				write(f.t, f.path, f.routes("old"))
			},
			change: func(f *followed, text string) {
				mkdir(f.t, filepath.Join(f.dir, "v2"))
				write(f.t, filepath.Join(f.dir, "v2", "routes.yaml"), text)
				link(f.t, "v2", filepath.Dir(f.path))
			},
		},
		"the folder is removed, and made again": {change: func(f *followed, text string) {
			do(f.t, os.RemoveAll(filepath.Dir(f.path)))
			f.log.Await(f.t, "is not taken", 1)
			mkdir(f.t, filepath.Dir(f.path))
			write(f.t, f.path, text)
		}},
		"the folder is removed and made again at once": {change: func(f *followed, text string) {
			do(f.t, os.RemoveAll(filepath.Dir(f.path)))
			mkdir(f.t, filepath.Dir(f.path))
			write(f.t, f.path, text)
		}},
		"another folder takes the folder's place": {change: func(f *followed, text string) {
			mkdir(f.t, filepath.Join(f.dir, "other"))
			write(f.t, filepath.Join(f.dir, "other", "routes.yaml"), text)
			do(f.t, os.Rename(filepath.Dir(f.path), filepath.Join(f.dir, "before")), os.Rename(filepath.Join(f.dir, "other"), filepath.Dir(f.path)))
		}},
	} {
		for _, how := range []string{"watched", "polled"} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				f := follow(t, test.prepare, func(r *reloader) bool {
					if how == "polled" {
						r.poll = 10 * time.Millisecond
					}
					return how == "polled"
				})
				f.await("old")
				test.change(f, f.routes("new"))
				f.await("new")
				// And once more, for what is watched has changed with the first.
				write(t, f.path, f.routes("newer"))
				f.await("newer")
				sum := sha256.Sum256([]byte(f.routes("newer")))
				eventually(t, "the state tells of it", func() bool {
					s := f.reloader.routes()
					return s.SHA256 == hex.EncodeToString(sum[:]) && s.Routes == 1 && s.LastError == nil && s.Reloads >= 2
				})
			})
		}
	}
}
