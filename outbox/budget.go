package outbox

import (
	"sync/atomic"
)

// budget bounds what is held in memory, in deliveries and bytes of their
// events. As in the hub's admission, a lane may hold no more than what is still
// free, so that one whose destination is dead leaves room for the others.
type budget struct {
	maxCount, maxBytes int64
	count, bytes       atomic.Int64
}

// share is the part of a budget that one lane has taken.
type share struct{ count, bytes atomic.Int64 }

// take reports whether there is room for one more of that size, and takes it.
func (b *budget) take(s *share, size int64) bool {
	count, bytes := b.count.Add(1), b.bytes.Add(size)
	here, bytesHere := s.count.Add(1), s.bytes.Add(size)
	free, freeBytes := b.maxCount-count+1, b.maxBytes-bytes+size
	if here == 1 || here <= free && bytesHere <= freeBytes { // the first of a lane always fits
		return true
	}
	b.free(s, size)
	return false
}

// force takes room that may not be there: for what the store has handed out.
func (b *budget) force(s *share, size int64) {
	b.count.Add(1)
	b.bytes.Add(size)
	s.count.Add(1)
	s.bytes.Add(size)
}

func (b *budget) free(s *share, size int64) {
	b.count.Add(-1)
	b.bytes.Add(-size)
	s.count.Add(-1)
	s.bytes.Add(-size)
}

// room is how many more deliveries and bytes the lane may take, at most n, and
// at least one where it has none.
func (b *budget) room(s *share, n int64) (count, bytes int64) {
	here, bytesHere := s.count.Load(), s.bytes.Load()
	count = min(n, (b.maxCount-b.count.Load()-here)/2)
	bytes = (b.maxBytes - b.bytes.Load() - bytesHere) / 2
	if here == 0 {
		return max(count, 1), max(bytes, 1)
	}
	if bytes <= 0 {
		return 0, 0
	}
	return max(count, 0), bytes
}
