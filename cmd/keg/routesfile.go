package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/kong/keg/router"
)

// routesFile is where a node's route table stands, and how it is read: at the
// start, and whenever it may have changed. It is for one goroutine.
type routesFile struct {
	path    string
	options router.Options
	// read is what the file held when it was last read for a table.
	read reading
}

// reading is what a routes file, and the files that it names by {file: path},
// held at one moment.
type reading struct {
	text  content
	named map[string]content // by the path as the routes file spells it
}

// content is what one file held, or why it could not be read.
type content struct {
	bytes []byte
	err   error
	// once tells that it is no regular file (a pipe, a shell's <(command)) but
	// was read all the same: it cannot be read again, and stays what it was.
	once bool
}

// mostFile bounds what is read of a file. Tables may have 8 MiB, and one byte
// more is enough to refuse them.
const mostFile = 8<<20 + 1

// load reads the table anew. The error is the file system's or [router.Errors].
func (f *routesFile) load() (*router.Table, error) {
	now := reading{text: readOnce(f.path), named: map[string]content{}}
	return f.parse(&now, readOnce)
}

// look reads the file, and the files that it named when it was last read for a
// table, and makes nothing of them.
func (f *routesFile) look() reading {
	now := reading{text: readAgain(f.path, f.read.text), named: make(map[string]content, len(f.read.named))}
	for path, before := range f.read.named {
		now.named[path] = readAgain(path, before)
	}
	return now
}

// parse makes a table of what was read. What the file names and now has not is
// read and added; what the file names no longer is dropped.
func (f *routesFile) parse(now *reading, read func(path string) content) (*router.Table, error) {
	known := now.named
	now.named = map[string]content{}
	f.read = *now
	if now.text.err != nil {
		return nil, now.text.err
	}
	o := f.options
	o.ReadFile = func(path string) ([]byte, error) {
		c, ok := known[path]
		if !ok {
			c = read(path)
		}
		now.named[path] = c
		return c.bytes, c.err
	}
	return router.Parse(f.path, now.text.bytes, o)
}

// paths are the file's own and those of the files that it names.
func (f *routesFile) paths() []string {
	return append(slices.Collect(maps.Keys(f.read.named)), f.path)
}

// sum tells readings apart.
func (r reading) sum() (sum [sha256.Size]byte) {
	h := sha256.New()
	add := func(path string, c content) {
		_, _ = fmt.Fprintf(h, "%q %d %q\n", path, len(c.bytes), fmt.Sprint(c.err))
		_, _ = h.Write(c.bytes)
	}
	add("", r.text)
	for _, path := range slices.Sorted(maps.Keys(r.named)) {
		add(path, r.named[path])
	}
	h.Sum(sum[:0])
	return sum
}

// readOnce reads whatever kind of file it is.
func readOnce(path string) content { return readFile(path, false) }

// readRegular never waits for a pipe's other end.
func readRegular(path string) content { return readFile(path, true) }

func readAgain(path string, before content) content {
	if before.once {
		return before
	}
	return readRegular(path)
}

func readFile(path string, regular bool) content {
	info, err := os.Stat(path)
	if err != nil {
		return content{err: err}
	}
	if regular && !info.Mode().IsRegular() {
		return content{err: &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("is no regular file but %v", info.Mode().Type())}}
	}
	file, err := os.Open(path)
	if err != nil {
		return content{err: err}
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostFile))
	return content{bytes: text, err: err, once: !info.Mode().IsRegular() && err == nil}
}
