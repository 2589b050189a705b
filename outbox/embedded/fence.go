package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// errFenced tells that a Pebble was given up.
var errFenced = errors.New("this file system is closed to writes, since one of them failed")

// fence is the file system of one opening of Pebble. The first write that fails
// is told to failed and ends all writing through it: whatever a Pebble that was
// given up still runs can touch nothing that the next one has.
//
// Pebble itself never hears of the failure: it would panic under its own locks,
// which cannot be recovered from, or flush again and again for ever. From then
// on it writes to nowhere, and believes all is well until it is closed; who
// needs to know, as after a sync, asks the fence.
type fence struct {
	vfs.FS
	down   atomic.Bool
	cause  atomic.Pointer[error] // what failed
	failed func(error)
	logs   *logWay
}

// may reports whether writes are allowed, and if not, since what has failed.
func (f *fence) may() error {
	if !f.down.Load() {
		return nil
	}
	if cause := f.cause.Load(); cause != nil {
		return fmt.Errorf("%w: %w", *cause, errFenced)
	}
	return errFenced
}

// fail ends all writing. It may be called by any goroutine, any number of times.
func (f *fence) fail(err error) {
	if f.down.CompareAndSwap(false, true) {
		f.cause.Store(&err)
		f.failed(err)
	}
}

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(name, func() (vfs.File, error) { return f.opened(name, category)(f.FS.Create(name, category)) })
}

func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, options ...vfs.OpenOption) (vfs.File, error) {
	return f.file(name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, category, options...) })
}

func (f *fence) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(name, func() (vfs.File, error) { return f.opened(name, category)(f.FS.ReuseForWrite(old, name, category)) })
}

// opened makes a log of a file, if it is to be one.
func (f *fence) opened(name string, category vfs.DiskWriteCategory) func(vfs.File, error) (vfs.File, error) {
	return func(file vfs.File, err error) (vfs.File, error) {
		if err != nil || category != "pebble-wal" || f.FS != vfs.Default {
			return file, err
		}
		return openLog(file, name, f.logs), nil
	}
}

func (f *fence) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fenced{file, f}, nil
}

// file opens a file behind the fence, readable by its owner alone.
func (f *fence) file(name string, open func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	err := f.write(func() (err error) {
		if file, err = open(); err == nil && f.FS == vfs.Default {
			err = os.Chmod(name, 0o600)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if f.down.Load() {
		if file != nil {
			_ = file.Close()
		}
		return nowhereFile{}, nil
	}
	return &fenced{file, f}, nil
}

// Lock does nothing: the store has the lock, for longer than any one Pebble.
func (f *fence) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (f *fence) Remove(name string) error {
	return f.write(func() error { return f.FS.Remove(name) })
}

func (f *fence) RemoveAll(name string) error {
	return f.write(func() error { return f.FS.RemoveAll(name) })
}

func (f *fence) Rename(old, name string) error {
	return f.write(func() error { return f.FS.Rename(old, name) })
}

func (f *fence) Link(old, name string) error {
	return f.write(func() error { return f.FS.Link(old, name) })
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.write(func() error { return f.FS.MkdirAll(dir, 0o700) })
}

// write makes one change, unless writing has ended. Its error is only that
// something is, or is not, there.
func (f *fence) write(call func() error) error {
	if f.down.Load() {
		return nil
	}
	err := call()
	if err == nil || oserror.IsNotExist(err) || oserror.IsExist(err) {
		return err
	}
	f.fail(err)
	return nil
}

func (f *fence) Unwrap() vfs.FS { return f.FS }

// fenced is a file behind a fence.
type fenced struct {
	vfs.File
	fence *fence
}

func (f *fenced) Write(b []byte) (int, error) {
	return len(b), f.fence.write(func() error { _, err := f.File.Write(b); return err })
}

func (f *fenced) WriteAt(b []byte, at int64) (int, error) {
	return len(b), f.fence.write(func() error { _, err := f.File.WriteAt(b, at); return err })
}

func (f *fenced) Preallocate(offset, length int64) error {
	return f.fence.write(func() error { return f.File.Preallocate(offset, length) })
}
func (f *fenced) Sync() error     { return f.fence.write(f.File.Sync) }
func (f *fenced) SyncData() error { return f.fence.write(f.File.SyncData) }

func (f *fenced) SyncTo(length int64) (full bool, err error) {
	err = f.fence.write(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// nowhereFile is what a Pebble writes that was given up.
type nowhereFile struct{}

func (nowhereFile) Close() error                           { return nil }
func (nowhereFile) Read([]byte) (int, error)               { return 0, io.EOF }
func (nowhereFile) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (nowhereFile) Write(b []byte) (int, error)            { return len(b), nil }
func (nowhereFile) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }
func (nowhereFile) Preallocate(int64, int64) error         { return nil }
func (nowhereFile) Stat() (vfs.FileInfo, error)            { return emptyInfo{}, nil }
func (nowhereFile) Sync() error                            { return nil }
func (nowhereFile) SyncTo(int64) (bool, error)             { return false, nil }
func (nowhereFile) SyncData() error                        { return nil }
func (nowhereFile) Prefetch(int64, int64) error            { return nil }
func (nowhereFile) Fd() uintptr                            { return vfs.InvalidFd }

type emptyInfo struct{ vfs.FileInfo }

func (emptyInfo) Size() int64 { return 0 }
