package console

import (
	"maps"
	"sync"
	"sync/atomic"
)

// series finds what belongs to a label's value. It is read by every event and
// written when a value is met for the first time, so a read takes no lock and a
// write makes a new map.
type series[V any] struct {
	open func(label string) V

	byLabel atomic.Pointer[map[string]V]
	mu      sync.Mutex // held by writers
}

func (s *series[V]) of(label string) V {
	if all := s.byLabel.Load(); all != nil {
		if v, ok := (*all)[label]; ok {
			return v
		}
	}
	return s.add(label)
}

// add opens the series of a new label, or the one that is for all beyond
// [maxSeries].
func (s *series[V]) add(label string) V {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all map[string]V
	if now := s.byLabel.Load(); now != nil {
		all = *now
	}
	if len(all) >= maxSeries {
		label = other
	}
	if v, ok := all[label]; ok {
		return v
	}
	more := make(map[string]V, len(all)+1)
	maps.Copy(more, all)
	v := s.open(valid(label))
	more[label] = v
	s.byLabel.Store(&more)
	return v
}
