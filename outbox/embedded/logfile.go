package embedded

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	logPage = 4096
	logRoom = 256 << 10
)

// logFile is Pebble's log on its way past the page cache: all that one sync makes
// safe goes out in one write, which copies nothing and waits for no page of a
// table that is on its way too. Bytes lie in memory until a sync or until there
// are many, as they lie in Pebble's own blocks before they come here. The file's
// last page is filled up with zeros, and written again with what follows.
//
// It is for one goroutine at a time, as Pebble's log writer is.
type logFile struct {
	vfs.File
	direct interface { // the same file; nil once it has shown that it cannot do it
		io.WriterAt
		io.Closer
	}
	safe            *os.File // the same file, whose writes are safe when they return; may be nil
	way             *logWay  // may be nil
	unsynced        bool     // something was written since the last sync
	room            []byte   // at a page's address; begins with what the file's last page holds
	filled, written int      // bytes of room that are there, and that the file has
	at              int64    // where in the file room begins, at a page
}

// logWay is which way the logs of one engine go to their disk.
type logWay struct {
	// busy says that there is work for the processors while a sync lasts.
	busy  atomic.Bool
	queue *diskQueue
}

// pages returns n bytes that begin at a page's address.
func pages(n int) []byte {
	b := make([]byte, n+logPage)
	begin := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (logPage - 1)
	return b[begin : begin+n]
}

func (f *logFile) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if f.direct == nil {
			m, err := f.File.Write(p[n:])
			return n + m, err
		}
		m := copy(f.room[f.filled:], p[n:])
		f.filled += m
		n += m
		if f.filled == len(f.room) {
			if err := f.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// flush hands what the file does not have to the disk; a sync makes it safe.
func (f *logFile) flush() error {
	if f.filled == f.written || f.direct == nil {
		return nil
	}
	_, err := f.direct.WriteAt(f.due(), f.at)
	if f.at == 0 && f.written == 0 && errors.Is(err, syscall.EINVAL) { // a file system that lets it be opened and not used
		err = errors.Join(f.direct.Close())
		f.direct = nil
		if err == nil {
			_, err = f.File.Write(f.room[:f.filled])
		}
		return err
	}
	if err != nil {
		return err
	}
	f.unsynced = true
	f.advance()
	return nil
}

// due is what is to be written: whole pages, the last one filled up.
func (f *logFile) due() []byte {
	end := (f.filled + logPage - 1) &^ (logPage - 1)
	clear(f.room[f.filled:end])
	return f.room[:end]
}

// advance notes that the file has what was due.
func (f *logFile) advance() {
	whole := f.filled &^ (logPage - 1)
	f.filled = copy(f.room, f.room[whole:f.filled])
	f.written, f.at = f.filled, f.at+int64(whole)
}

// aside makes what is due safe while others work, and reports whether it could:
// where something is to be made safe, and all of it is due.
func (f *logFile) aside() (made bool, err error) {
	proven := f.at > 0 || f.written > 0
	if f.way == nil || !f.way.busy.Load() || f.direct == nil || f.safe == nil || !proven || f.unsynced || f.filled == f.written {
		return false, nil
	}
	if made, err = f.way.queue.writeSafely(f.safe.Fd(), f.due(), f.at); made && err == nil {
		f.advance()
	}
	return made, err
}

func (f *logFile) Sync() error { return f.sync(f.File.Sync) }
func (f *logFile) SyncData() error {
	if made, err := f.aside(); made {
		return err
	}
	return f.sync(f.File.SyncData)
}

// sync writes what is due, and makes it and all before it safe.
func (f *logFile) sync(safely func() error) error {
	if err := f.flush(); err != nil {
		return err
	}
	if err := safely(); err != nil {
		return err
	}
	f.unsynced = false
	return nil
}

func (f *logFile) SyncTo(length int64) (full bool, err error) {
	if err := f.flush(); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}

func (f *logFile) Close() error {
	err := f.flush()
	if f.direct != nil {
		err = errors.Join(err, f.direct.Close())
	}
	if f.safe != nil {
		err = errors.Join(err, f.safe.Close())
	}
	return errors.Join(err, f.File.Close())
}
