package embedded

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// On is o with another file system, and a short wait before a broken store is
// opened again.
func (o Options) On(fs vfs.FS) Options {
	o.fs, o.backoff = fs, time.Millisecond
	return o
}

// Held counts what the store believes to be in dispatchers' hands.
func (s *Store) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}
