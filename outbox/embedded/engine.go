package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kong/keg/outbox"
)

const (
	memTableBytes = 8 << 20 // the log that a start reads again is a few of these
	cacheBytes    = 8 << 20
	// Puts wait while more than these (of full size) have not been written out, or sorted in.
	// Pebble's own limits are out of reach, for a Pebble that waits at them cannot
	// be given up.
	maxMemTables = 3
	maxSublevels = 24
	// A block is a system call of its own where a table is written.
	blockBytes = 32 << 10
)

// engine is one opening of Pebble.
type engine struct {
	db    *pebble.DB
	fence *fence
	// reading is held for reading by who reads without the store's mutex, and
	// for writing by who closes.
	reading sync.RWMutex
	closing sync.Once
}

// openEngine opens Pebble in dir. failed is called once at most, by any
// goroutine and under any of Pebble's locks, when the engine cannot be written
// to any more. damaged hears of files with unreadable parts.
func openEngine(s *Store, failed func(*engine, error)) (e *engine, err error) {
	e = &engine{}
	e.fence = &fence{FS: s.disk, failed: func(err error) { failed(e, err) }, logs: &logWay{}}
	if s.disk == vfs.Default {
		e.fence.logs.queue = newDiskQueue()
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a panic while Pebble was opened: %v", r)
		}
		if err != nil {
			e.fence.down.Store(true)
		}
		if e.db == nil {
			e.fence.logs.queue.close()
		}
	}()
	options := &pebble.Options{
		FS:                          e.fence,
		Logger:                      &logger{e.fence, s.log},
		CacheSize:                   cacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 1000,
		L0CompactionThreshold:       10,
		L0StopWritesThreshold:       1 << 20,
		LBaseMaxBytes:               256 << 20,
		MaxOpenFiles:                500,
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		EventListener: &pebble.EventListener{
			DataCorruption: func(info pebble.DataCorruptionInfo) { s.noteDamage(info.Path) },
		},
	}
	for i := range options.Levels {
		options.Levels[i].BlockSize = blockBytes
	}
	// Most events are gone before they would be sorted in: what is young is not
	// worth compressing.
	options.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	options.Levels[1].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	e.db, err = pebble.Open(s.dir, options)
	if err == nil {
		err = e.fence.may() // it opened, and failed in the background
	}
	if err != nil && e.db != nil {
		e.close()
	}
	return e, err
}

// apply writes a batch to the log, in order, without waiting for a sync unless
// batch.SyncWait is called. A panic of Pebble's is the end of the engine, not of
// the process. One goroutine at a time.
func (e *engine) apply(batch *pebble.Batch, sync bool) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a write failed: %v", r)
			e.fence.fail(err)
		}
	}()
	if err := e.fence.may(); err != nil {
		return err
	}
	if sync {
		err = e.db.ApplyNoSyncWait(batch, pebble.Sync)
	} else {
		err = e.db.Apply(batch, pebble.NoSync)
	}
	if err != nil {
		e.fence.fail(err)
		return err
	}
	return e.fence.may()
}

// close closes Pebble, when the last reader has gone. One that was given up may
// hang in a lock that a panic has left behind: it is left alone after a while,
// behind its fence.
func (e *engine) close() (err error) {
	e.closing.Do(func() {
		done := make(chan error, 1)
		go func() {
			defer func() {
				if r := recover(); r != nil {
					done <- fmt.Errorf("a panic while Pebble was closed: %v", r)
				}
			}()
			e.reading.Lock()
			defer e.reading.Unlock()
			err := e.db.Close()
			e.fence.logs.queue.close()
			done <- err
		}()
		if !e.fence.down.Load() {
			err = <-done
			return
		}
		select {
		case err = <-done:
		case <-time.After(abandonAfter):
			err = fmt.Errorf("it did not close")
		}
	})
	return err
}

// abandonAfter is how long a broken Pebble may take to close.
const abandonAfter = 5 * time.Second

// logger takes Pebble's words. Its Fatalf ends the engine, never the process.
type logger struct {
	fence *fence
	log   *slog.Logger
}

func (l *logger) Infof(format string, args ...any) {}

func (l *logger) Errorf(format string, args ...any) {
	l.log.Warn("the event store's Pebble reports a problem", "problem", line(fmt.Sprintf(format, args...)))
}

func (l *logger) Fatalf(format string, args ...any) {
	l.fence.fail(fmt.Errorf(format, args...))
}

// line is the first line of a text: Pebble's errors may carry a stack.
func line(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// unavailable is err as callers of the store hear it.
func unavailable(err error) *outbox.UnavailableError {
	problem := "the store's files cannot be written"
	if full(err) {
		problem = "the disk is full"
	}
	return &outbox.UnavailableError{Problem: problem, Err: fmt.Errorf("%s", line(err.Error()))}
}
