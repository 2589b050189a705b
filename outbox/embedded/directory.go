package embedded

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// markerFile tells a store from any other directory, and its format.
	markerFile   = "KEG-STORE"
	markerPrefix = "KEG event store, format "
	format       = 1
	lockFile     = "LOCK"
	// damagedDirectory keeps what could not be read.
	damagedDirectory = "damaged"
)

// claimDirectory makes sure that dir is a store's, or empty, and locks it. An
// absent one is made. Before the lock is held nothing is written.
func claimDirectory(disk vfs.FS, dir string) (io.Closer, error) {
	fail := func(err error, remedy string) (io.Closer, error) {
		return nil, &OpenError{Directory: dir, Err: err, Remedy: remedy}
	}
	unusable := func(err error) (io.Closer, error) {
		return fail(fmt.Errorf("%w: %w", ErrUnreadable, plain(err)), "Give KEG's user the right to read and write it, or name another directory.")
	}
	names, err := disk.List(dir)
	switch {
	case oserror.IsNotExist(err):
		if err := disk.MkdirAll(dir, 0o700); err != nil {
			return unusable(err)
		}
	case err != nil:
		return unusable(err)
	}
	hasMarker := slices.Contains(names, markerFile)
	if !hasMarker {
		for _, name := range names {
			switch name {
			case lockFile, markerFile + ".new", "lost+found": // of a start that was cut short, or of a fresh disk
			default:
				return fail(fmt.Errorf("%w (%q among them)", ErrForeign, name), "Name an empty directory, or one that KEG has made.")
			}
		}
	} else if err := checkMarker(disk, dir); err != nil {
		return nil, err
	}
	lock, err := disk.Lock(disk.PathJoin(dir, lockFile))
	if err != nil {
		if oserror.IsPermission(err) {
			return unusable(err)
		}
		return fail(fmt.Errorf("%w (%w)", ErrInUse, plain(err)), "Stop that process, or name another directory.")
	}
	if !hasMarker {
		if err := writeMarker(disk, dir); err != nil {
			_ = lock.Close()
			return unusable(err)
		}
	}
	if err := protect(disk, dir); err != nil {
		_ = lock.Close()
		return unusable(err)
	}
	return lock, nil
}

// protect takes the directory away from other users, whoever made it.
func protect(disk vfs.FS, dir string) error {
	if disk != vfs.Default {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	// Pebble makes files by the umask; an older KEG's or a copy's may be open.
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

func checkMarker(disk vfs.FS, dir string) error {
	f, err := disk.Open(disk.PathJoin(dir, markerFile))
	if err != nil {
		return &OpenError{dir, fmt.Errorf("%w: %w", ErrUnreadable, plain(err)), "Give KEG's user the right to read it."}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return &OpenError{dir, fmt.Errorf("%w: %w", ErrUnreadable, plain(err)), "Look after the disk."}
	}
	number, found := strings.CutPrefix(strings.TrimSpace(string(text)), markerPrefix)
	version, err := strconv.Atoi(number)
	if !found || err != nil || version < 1 {
		return &OpenError{dir, fmt.Errorf("%w: its file %s reads %q", ErrUnreadable, markerFile, text),
			"Restore that file from a backup, or name another directory."}
	}
	if version > format {
		return &OpenError{dir, fmt.Errorf("%w: it has format %d, and this one knows formats up to %d", ErrNewer, version, format),
			"Run the later version, or name another directory."}
	}
	return nil
}

func writeMarker(disk vfs.FS, dir string) error {
	temporary := disk.PathJoin(dir, markerFile+".new")
	f, err := disk.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%d\n", markerPrefix, format)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = disk.Rename(temporary, disk.PathJoin(dir, markerFile))
	}
	if err != nil {
		return err
	}
	return syncDirectory(disk, dir)
}

func syncDirectory(disk vfs.FS, dir string) error {
	d, err := disk.OpenDir(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}

// plain is err without the stack that Pebble's errors print.
func plain(err error) error { return fmt.Errorf("%s", err.Error()) }
