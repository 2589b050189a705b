package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// watch tells of changes of what paths lead to. It watches folders, never files,
// and every folder on the way: editors rename a new file over the old one,
// mounted config maps swap a link on the way, and a folder may go and come back.
// It is for one goroutine. What it misses (network file systems tell nothing),
// whoever uses it finds by looking from time to time.
type watch struct {
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil where there is none to be had
	names   map[string]bool   // whose changes count
	told    map[string]bool   // folders that were complained of
}

func newWatch(log *slog.Logger) *watch {
	w := &watch{log: log, told: map[string]bool{}}
	var err error
	// Buffered, so that what comes in a burst is taken in one.
	if w.watcher, err = fsnotify.NewBufferedWatcher(64); err != nil {
		log.Warn("files are not watched, only looked at from time to time", "error", err)
		w.watcher = nil
	}
	return w
}

// follow watches the way to each of paths, and nothing else from now on. It
// reports whether a folder was added, in which something may have changed before.
func (w *watch) follow(paths []string) (added bool) {
	if w.watcher == nil {
		return false
	}
	w.names = map[string]bool{}
	folders := map[string]bool{}
	for _, path := range paths {
		for _, name := range lookups(path) {
			w.names[name] = true
			folders[filepath.Dir(name)] = true
		}
	}
	watched := w.watcher.WatchList()
	for _, folder := range watched {
		if !folders[folder] {
			_ = w.watcher.Remove(folder) // or it has just gone by itself
		}
	}
	for folder := range folders {
		if slices.Contains(watched, folder) {
			continue
		}
		switch err := w.watcher.Add(folder); {
		case err == nil:
			// A folder that is watched by another path already (a bind mount) is
			// not added, and not watched by this one.
			added = added || slices.Contains(w.watcher.WatchList(), folder)
		case os.IsNotExist(err): // yet; the folder above it tells when it comes
		case !w.told[folder]:
			w.told[folder] = true
			w.log.Warn("a folder is not watched, only looked at from time to time", "folder", folder, "error", err)
		}
	}
	return added
}

// events are what happens in the folders; nil where nothing is watched.
func (w *watch) events() <-chan fsnotify.Event {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Events
}

// errors tells of trouble, after which changes may have been missed.
func (w *watch) errors() <-chan error {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Errors
}

// counts reports whether an event, or one of those that wait behind it, is about
// the paths, and takes them all.
func (w *watch) counts(e fsnotify.Event) bool {
	counts := w.names[filepath.Clean(e.Name)]
	for {
		select {
		case e, ok := <-w.watcher.Events:
			if !ok {
				return counts
			}
			counts = counts || w.names[filepath.Clean(e.Name)]
		default:
			return counts
		}
	}
}

func (w *watch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}

// mostLinks is how many links a path may lead through, as on Linux.
const mostLinks = 40

// lookups are the names that are looked up, one after the other, to get to path:
// each folder, link and file on the way, by the folder that it truly is in. A
// change of any of them may change what the path leads to.
func lookups(path string) []string {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	const separator = string(filepath.Separator)
	var names []string
	at, links := separator, 0
	for rest := strings.Split(whole, separator); len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		names = append(names, next)
		target, err := os.Readlink(next)
		if err != nil { // no link, or not there
			at = next
			continue
		}
		if links++; links > mostLinks {
			return names
		}
		if filepath.IsAbs(target) {
			at = separator
		}
		rest = append(strings.Split(target, separator), rest...)
	}
	return names
}
