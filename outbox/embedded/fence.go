package embedded

import (
	"errors"
	"io"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// errFenced is what a Pebble hears that has been given up.
var errFenced = errors.New("this file system is closed to writes, since one of them failed")

// fence is the file system of one opening of Pebble. The first write that fails
// is told to failed and ends all writing through it: whatever a Pebble that was
// given up still runs can touch nothing that the next one has.
type fence struct {
	vfs.FS
	down   atomic.Bool
	failed func(error)
}

// may reports whether writes are allowed.
func (f *fence) may() error {
	if f.down.Load() {
		return errFenced
	}
	return nil
}

// note passes err on, and ends writing when it is a failure.
func (f *fence) note(err error) error {
	if err == nil || oserror.IsNotExist(err) || oserror.IsExist(err) {
		return err
	}
	f.fail(err)
	return err
}

// fail ends all writing. It may be called by any goroutine, any number of times.
func (f *fence) fail(err error) {
	if f.down.CompareAndSwap(false, true) {
		f.failed(err)
	}
}

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.may(); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, category)
	return f.file(name, file, err)
}

func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, options ...vfs.OpenOption) (vfs.File, error) {
	if err := f.may(); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(name, category, options...)
	return f.file(name, file, err)
}

func (f *fence) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.may(); err != nil {
		return nil, err
	}
	file, err := f.FS.ReuseForWrite(old, name, category)
	return f.file(name, file, err)
}

func (f *fence) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fenced{file, f}, nil
}

// file puts a file behind the fence, readable by its owner alone.
func (f *fence) file(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, f.note(err)
	}
	if f.FS == vfs.Default {
		if err := os.Chmod(name, 0o600); err != nil {
			_ = file.Close()
			return nil, f.note(err)
		}
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

func (f *fence) write(call func() error) error {
	if err := f.may(); err != nil {
		return err
	}
	return f.note(call())
}

func (f *fence) Unwrap() vfs.FS { return f.FS }

// fenced is a file behind a fence.
type fenced struct {
	vfs.File
	fence *fence
}

func (f *fenced) Write(b []byte) (int, error) {
	if err := f.fence.may(); err != nil {
		return 0, err
	}
	n, err := f.File.Write(b)
	return n, f.fence.note(err)
}

func (f *fenced) WriteAt(b []byte, at int64) (int, error) {
	if err := f.fence.may(); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(b, at)
	return n, f.fence.note(err)
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
