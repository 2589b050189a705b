package embedded

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// newLog is a log at a path, of which it knows what was written.
func newLog(t *testing.T, reused []byte) (path string, file vfs.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "000001.log")
	if err := os.WriteFile(path, reused, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := vfs.Default.OpenReadWrite(path, "pebble-wal")
	if err != nil {
		t.Fatal(err)
	}
	return path, file
}

func bytesOf(seed byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed + byte(i%251)
	}
	return b
}

// Whatever is written, and whenever it is synced, the file then has all of it,
// up to the end of a page zeros, and beyond that what it had before.
func TestALogHasWhatWasSynced(t *testing.T) {
	old := bytesOf(7, 3<<20)
	way := &logWay{queue: newDiskQueue()}
	defer way.queue.close()
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 1))
		path, plain := newLog(t, old)
		f := openLog(plain, path, way)
		if _, ok := f.(*logFile); !ok { // this file system has no direct writes
			direct, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			f = &logFile{File: plain, direct: direct, room: pages(logRoom)}
		}
		var written []byte
		for range 60 {
			way.busy.Store(random.IntN(2) > 0)
			for range random.IntN(4) {
				part := bytesOf(byte(random.Uint32()), []int{1, 100, logPage, 32 << 10, random.IntN(200 << 10)}[random.IntN(5)])
				part = part[:min(len(part), len(old)-len(written)-logPage)]
				if n, err := f.Write(part); n != len(part) || err != nil {
					t.Fatal(seed, n, err)
				}
				written = append(written, part...)
			}
			sync := []func() error{f.SyncData, f.Sync, func() error { _, err := f.SyncTo(int64(len(written))); return err }}[random.IntN(3)]
			if err := sync(); err != nil {
				t.Fatal(seed, err)
			}
			checkLog(t, seed, path, written, old)
		}
		if _, err := f.Write([]byte("the end")); err != nil {
			t.Fatal(seed, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(seed, err)
		}
		checkLog(t, seed, path, append(written, "the end"...), old)
	}
}

func checkLog(t *testing.T, seed uint64, path string, written, old []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := (len(written) + logPage - 1) &^ (logPage - 1)
	switch {
	case len(content) != len(old):
		t.Fatalf("seed %d: the file has %d bytes, not %d", seed, len(content), len(old))
	case !bytes.Equal(content[:len(written)], written):
		t.Fatalf("seed %d: the first %d bytes are not those that were written", seed, len(written))
	case bytes.ContainsFunc(content[len(written):end], func(r rune) bool { return r != 0 }):
		t.Fatalf("seed %d: behind byte %d its page is not empty", seed, len(written))
	case !bytes.Equal(content[end:], old[end:]):
		t.Fatalf("seed %d: the pages behind byte %d have changed", seed, len(written))
	}
}

// failing is a direct file that takes so many writes.
type failing struct {
	io.WriterAt
	writes int
	err    error
	closed int
}

func (f *failing) WriteAt(p []byte, at int64) (int, error) {
	if f.writes--; f.writes < 0 {
		return 0, f.err
	}
	return f.WriterAt.WriteAt(p, at)
}

func (f *failing) Close() error { f.closed++; return nil }

func TestALogThatTakesNoDirectWritesIsWrittenPlainly(t *testing.T) {
	path, plain := newLog(t, nil)
	direct := &failing{err: &os.PathError{Op: "write", Path: path, Err: syscall.EINVAL}}
	f := &logFile{File: plain, direct: direct, room: pages(logRoom)}
	var written []byte
	for i := range 5 {
		part := bytesOf(byte(i), logRoom+1000)
		if n, err := f.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
		if err := f.SyncData(); err != nil {
			t.Fatal(err)
		}
		written = append(written, part...)
		if content, err := os.ReadFile(path); err != nil || !bytes.Equal(content, written) {
			t.Fatalf("after %d bytes the file has %d others: %v", len(written), len(content), err)
		}
	}
	if err := errors.Join(f.Close()); err != nil || direct.closed != 1 {
		t.Errorf("%v, closed %d times", err, direct.closed)
	}
}

func TestALogTellsOfAFailedWrite(t *testing.T) {
	for _, err := range []error{syscall.EIO, syscall.ENOSPC, syscall.EINVAL} {
		path, plain := newLog(t, nil)
		direct := &failing{writes: 1, err: err}
		file, openErr := os.OpenFile(path, os.O_WRONLY, 0)
		if openErr != nil {
			t.Fatal(openErr)
		}
		direct.WriterAt = file
		f := &logFile{File: plain, direct: direct, room: pages(logRoom)}
		_, _ = f.Write(bytesOf(1, 10_000))
		if err := f.SyncData(); err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(bytesOf(1, 10))
		if got := f.SyncData(); !errors.Is(got, err) {
			t.Errorf("%v, want %v", got, err)
		}
		if _, got := f.Write(bytesOf(1, logRoom)); !errors.Is(got, err) {
			t.Errorf("a write that fills it: %v, want %v", got, err)
		}
		_ = f.Close()
		_ = file.Close()
	}
}
