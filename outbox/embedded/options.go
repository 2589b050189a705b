package embedded

import (
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kong/keg/outbox"
)

// Options are how a store is kept. The zero Options are ready for use.
type Options struct {
	// Log takes what goes wrong and what was mended; nil: slog's default.
	Log *slog.Logger
	// MaxBytes is what the store may take on disk, in bytes; 0 sets no limit.
	// Beyond it Put refuses with an [*outbox.UnavailableError] until deliveries
	// have ended and their room is free again.
	MaxBytes int64

	fs      vfs.FS        // nil: the machine's
	backoff time.Duration // the first wait before the store is opened again; 0: 100 ms
}

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

// The errors of [Open] that a command tells apart. Their texts name the
// directory and what to do.
var (
	// ErrInUse: another process has the directory.
	ErrInUse = errors.New("another process is using it")
	// ErrForeign: the directory holds something that is no store.
	ErrForeign = errors.New("it holds files that are no event store")
	// ErrNewer: the store was written by a later version of KEG.
	ErrNewer = errors.New("a later version of KEG wrote it")
	// ErrUnreadable: the directory or its files cannot be read, written or
	// understood.
	ErrUnreadable = errors.New("it cannot be used")
)

// OpenError is why a directory was not opened. Nothing in it was changed.
type OpenError struct {
	Directory string
	// Err wraps one of this package's errors.
	Err error
	// Remedy is what to do, in a sentence.
	Remedy string
}

func (e *OpenError) Error() string {
	return "the event store in " + e.Directory + " was not opened: " + e.Err.Error() + ". " + e.Remedy
}
func (e *OpenError) Unwrap() error { return e.Err }

var (
	errFull   = &outbox.UnavailableError{Problem: "the store is full"}
	errClosed = &outbox.UnavailableError{Problem: "the store is closed"}
)
