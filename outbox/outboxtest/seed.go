package outboxtest

import (
	"flag"
	"math/rand/v2"
)

var seed = flag.Uint64("outboxtest.seed", 0, "repeats what was done at random under this seed; 0 takes a new one")

// source is where a test's randomness comes from; its seed is in the test's log.
func (t *home) source(stream uint64) *rand.Rand {
	t.once.Do(func() {
		if t.seed = *seed; t.seed == 0 {
			t.seed = rand.Uint64()
		}
		t.Logf("repeat with -outboxtest.seed %d", t.seed)
	})
	return rand.New(rand.NewPCG(t.seed, stream))
}
