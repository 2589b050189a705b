package plugins

import (
	"fmt"
	"math"
	"testing"
)

func TestSampling(t *testing.T) {
	const n = 20_000
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%032x", i) // the worst that ids could be: counted
	}
	for _, rate := range []float64{0, 0.001, 0.1, 0.5, 0.9, 1} {
		taken := 0
		for _, id := range ids {
			if sampled(id, rate) {
				taken++
			}
		}
		spread := 5 * math.Sqrt(n*rate*(1-rate))
		if math.Abs(float64(taken)-n*rate) > spread {
			t.Errorf("of %d, a rate of %v takes %d", n, rate, taken)
		}
	}
	for _, id := range ids {
		if sampled(id, 0.1) && !sampled(id, 0.5) {
			t.Fatalf("%s: a higher rate does not take it", id)
		}
	}
	if !sampled("", 0.001) {
		t.Error("a request without an id is lost")
	}
	// Other nodes, of other versions, must decide the same.
	if !sampled("56859966339ec26f55971525baaee16d", 0.65) || sampled("56859966339ec26f55971525baaee16d", 0.64) {
		t.Error("the choice has changed")
	}
}
