package plugins

import (
	"hash/fnv"
	"io"
)

// sampled reports whether a request is among the share of all that a rate of 0
// to 1 asks for. It goes by the request's id alone, so that each plugin, worker
// and node decides the same, and what a lower rate takes a higher one takes too.
// A request without an id is always taken.
func sampled(id string, rate float64) bool {
	if rate >= 1 || id == "" {
		return true
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, id)
	// FNV mixes its last bytes into the low bits only (murmur3's finalizer).
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11)/(1<<53) < rate
}
