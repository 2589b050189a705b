//go:build real

package postgres

import (
	"testing"
	"time"

	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/outboxtest"
)

func TestSuite(t *testing.T) {
	outboxtest.Run(t, func(t *testing.T) outboxtest.Harness {
		url := newSchema(t)
		const lease = 2 * time.Second
		return outboxtest.Harness{
			Open:   func(t *testing.T) outbox.Store { return open(t, url, Options{Lease: lease}) },
			Kill:   func(_ *testing.T, s outbox.Store) { s.(*Store).kill() },
			Shared: true,
			Lease:  2 * lease, // a lease of contact comes first, and turns take time
		}
	})
}
