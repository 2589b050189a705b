package main

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/kong/keg/test/ports"
)

// sending is a load of events, each with an id of its own, to a node that may
// come and go.
type sending struct {
	mu      sync.Mutex
	safe    []string       // the ids of those answered under 300
	refused map[int]int    // the others by status; 0: no answer
	said    map[int]string // an answer of each status
	stop    func()         // returns when every event has its answer
}

// startSending posts events by so many senders, each of which rests for pause
// between two. That every 503 has Retry-After is checked here.
func startSending(t *testing.T, senders int, pause time.Duration, url string) *sending {
	s := &sending{refused: map[int]int{}, said: map[int]string{}}
	transport := &http.Transport{MaxIdleConnsPerHost: senders}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	ended := make(chan struct{})
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for {
				select {
				case <-ended:
					return
				case <-time.After(pause):
				}
				id := uuid.NewString()
				status, answer, retryAfter := trySend(client, url, orderEvent(id))
				if status == http.StatusServiceUnavailable && retryAfter == "" {
					t.Errorf("503 without Retry-After: %s", answer)
				}
				s.note(id, status, answer)
			}
		})
	}
	s.stop = sync.OnceFunc(func() { close(ended); all.Wait(); transport.CloseIdleConnections() })
	t.Cleanup(s.stop)
	return s
}

func (s *sending) note(id string, status int, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status >= 200 && status < 300 {
		s.safe = append(s.safe, id)
		return
	}
	s.refused[status]++
	if s.said[status] == "" {
		s.said[status] = answer
	}
}

func (s *sending) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.safe)
}

func (s *sending) count(status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused[status]
}

// more waits until so many more events are safe.
func (s *sending) more(t *testing.T, n int) {
	t.Helper()
	until := len(s.ids()) + n
	within(t, longPatience, "more events are safe", func() bool { return len(s.ids()) >= until })
}

// only reports every status but these.
func (s *sending) only(t *testing.T, statuses ...int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for status, n := range s.refused {
		if !slices.Contains(statuses, status) {
			t.Errorf("%d events were answered %d: %s", n, status, s.said[status])
		}
	}
}

// absent are those of ids that are not among got.
func absent(ids []string, got map[string]int) (missing []string) {
	for _, id := range ids {
		if got[id] == 0 {
			missing = append(missing, id)
		}
	}
	return missing
}

// arrive waits until all of ids have come, however often.
func arrive(t *testing.T, ids []string, got func() map[string]int) {
	t.Helper()
	if len(ids) == 0 {
		t.Fatal("no event was sent, and this test tests nothing")
	}
	deadline := time.Now().Add(longPatience)
	for {
		all := got()
		missing := absent(ids, all)
		if len(missing) == 0 {
			twice := 0
			for _, n := range all {
				twice += n - 1
			}
			t.Logf("%d events are safe and have come; %d came again", len(ids), twice)
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d of %d events that are safe have not come, such as %s", len(missing), len(ids), missing[0])
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// collector is an HTTP destination that can be away, and remembers what it took.
type collector struct {
	address string
	mu      sync.Mutex
	server  *http.Server
	got     map[string]int      // how often an id came
	firsts  map[string][]string // by key, ids in the order in which they first came
	slow    time.Duration       // before each yes
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{address: newSwitchedServer(t).address, got: map[string]int{}, firsts: map[string][]string{}}
	t.Cleanup(c.off)
	return c
}

// on takes the address.
func (c *collector) on(t *testing.T) *collector {
	t.Helper()
	listener, err := ports.Listen(c.address)
	do(t, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(listener) }(c.server)
	return c
}

// off cuts every connection.
func (c *collector) off() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		_ = c.server.Close()
		c.server = nil
	}
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Ce-Id")
	key, _, _ := strings.Cut(id, "/")
	c.mu.Lock()
	if c.got[id]++; c.got[id] == 1 {
		c.firsts[key] = append(c.firsts[key], id)
	}
	slow := c.slow
	c.mu.Unlock()
	time.Sleep(slow)
}

func (c *collector) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.got)
}

// inOrder checks that ids of the form key/number came in the order of their
// numbers, where what came again counts by its first time.
func (c *collector) inOrder(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, ids := range c.firsts {
		// Of the same length, and so ordered as numbers are.
		if !slices.IsSortedFunc(ids, func(a, b string) int { return cmp.Compare(a, b) }) {
			t.Errorf("the events of key %s came out of order: %s", key, strings.Join(ids[:min(len(ids), 60)], " "))
		}
	}
}
