package sources

import "time"

// Status is how a source fares.
type Status struct {
	// Up tells that events can come from it now, as far as it knows.
	Up bool
	// Since is when it went down; zero while it is up.
	Since time.Time
	// Error is what keeps it down, without secrets; "" while it is up.
	Error string
}

// Reporter is a source that knows how it fares: those that stand on a broker.
type Reporter interface {
	// Status may be called at any time, by many goroutines at once.
	Status() Status
}

var (
	_ Reporter = (*kafka)(nil)
	_ Reporter = (*mqtt)(nil)
)

// Status tells of the cluster; a topic that is not there yet is no trouble.
func (k *kafka) Status() Status { return k.trouble.status() }

// Status tells of the broker.
func (m *mqtt) Status() Status { return m.trouble.status() }

// status is how a source fares whose only trouble this is.
func (c *complaint) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == 0 {
		return Status{Up: true}
	}
	return Status{Since: c.since, Error: c.text}
}
