package embedded

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// open opens Pebble, and cuts what of its logs cannot be read: each log once, so
// that it ends.
func (s *Store) open() (*engine, error) {
	logs, err := s.logs()
	if err != nil {
		return nil, err
	}
	if len(logs) > 0 {
		last := logs[len(logs)-1]
		if end, torn, err := s.torn(last); err == nil && torn {
			if err := s.cut(last, end); err != nil {
				return nil, err
			}
		}
	}
	e, err := openEngine(s, s.broke)
	if err == nil || !pebble.IsCorruptionError(err) {
		return e, err
	}
	cuts := 0
	for _, log := range logs {
		end, why := scan(log)
		if why == io.EOF {
			continue
		}
		if err := s.cut(log, end); err != nil {
			return nil, err
		}
		cuts++
	}
	if cuts == 0 {
		return nil, err
	}
	return openEngine(s, s.broke)
}

// logs are Pebble's, in order.
func (s *Store) logs() (wal.Logs, error) {
	return wal.Scan(wal.Dir{FS: s.disk, Dirname: s.dir})
}

func (s *Store) logPath(log wal.LogicalLog) string {
	_, path := log.SegmentLocation(0)
	return path
}

// scan reads a log as far as it can be read: the length of that, and why it
// ended there, io.EOF where the log does.
func scan(log wal.LogicalLog) (end int64, why error) {
	in := log.OpenForRead()
	defer in.Close()
	for {
		_, at, err := in.NextRecord()
		if at.PhysicalFile != "" {
			end = at.Physical
		}
		if err != nil {
			return end, err
		}
	}
}

// torn reports whether what follows the readable part of the last log was once
// written to it: it is neither the room that was laid out for the log, nor the
// rest of an older one whose file it took over.
func (s *Store) torn(log wal.LogicalLog) (end int64, torn bool, err error) {
	end, why := scan(log)
	if why == io.EOF {
		return end, false, nil
	}
	f, err := s.disk.Open(s.logPath(log))
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	var head [11]byte // checksum, length, kind, number of the log
	at := end
	if left := blockSize - at%blockSize; left < int64(len(head)) {
		at += left
	}
	n, _ := f.ReadAt(head[:], at)
	if n < len(head) {
		return end, slices.ContainsFunc(head[:n], func(b byte) bool { return b != 0 }), nil
	}
	return end, binary.LittleEndian.Uint32(head[7:]) == uint32(log.Num), nil
}

// blockSize is that of Pebble's logs.
const blockSize = 32 << 10

// cut keeps a copy of a log, and ends it where it can no longer be read.
func (s *Store) cut(log wal.LogicalLog, end int64) error {
	path := s.logPath(log)
	name := s.disk.PathBase(path)
	if err := s.disk.MkdirAll(s.disk.PathJoin(s.dir, damagedDirectory), 0o700); err != nil {
		return err
	}
	if err := vfs.Copy(s.disk, path, s.disk.PathJoin(s.dir, damagedDirectory, name)); err != nil {
		return err
	}
	if err := vfs.LimitedCopy(s.disk, path, path+".cut", end); err != nil {
		return err
	}
	if err := s.disk.Rename(path+".cut", path); err != nil {
		return err
	}
	if err := syncDirectory(s.disk, s.dir); err != nil {
		return err
	}
	s.cuts.Add(1)
	s.log.Error("the event store's log could not be read to its end, and was cut there; a copy is set aside",
		"file", name, "at", end, "directory", damagedDirectory)
	return nil
}
