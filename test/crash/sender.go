package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// sender sends events of keys that are nobody else's, one after the other: it
// goes on to the next event only when it was told that the one before is safe.
type sender struct {
	name   string
	url    string
	ledger *ledger
	client *http.Client
	random *rand.Rand
	limit  *rate.Limiter // of all senders

	acknowledged int // read when it has ended
}

// answerTimeout is how long a sender waits for an answer; KEG's own budget is ten
// seconds.
const answerTimeout = 30 * time.Second

func newSender(name, url string, l *ledger, random *rand.Rand, limit *rate.Limiter) *sender {
	return &sender{
		name: name, url: url, ledger: l, random: random, limit: limit,
		client: &http.Client{Transport: &http.Transport{}, Timeout: answerTimeout},
	}
}

// run sends until more ends; an event that has begun is sent to its end, or
// until ctx ends.
func (s *sender) run(ctx, more context.Context) {
	defer s.client.CloseIdleConnections()
	for s.limit.Wait(more) == nil {
		k := kind(s.random.IntN(len(kinds)))
		key := fmt.Sprintf("%s-%d-%d", s.name, k, s.random.IntN(4))
		e := s.ledger.next(k, key, pad(s.random))
		body := e.encode()
		for {
			s.ledger.try(e)
			safe, err := s.send(ctx, e, body)
			if err != nil {
				s.ledger.note(other, "%s: %s", s.name, err)
			}
			if safe {
				s.ledger.acknowledge(e)
				s.acknowledged++
				break
			}
			if ctx.Err() != nil {
				return
			}
			s.rest(ctx)
		}
	}
}

// send tries once. It is safe where the answer says so; that a node is away or
// too busy is no error, but a promise that says something else than it should.
func (s *sender) send(ctx context.Context, e event, body []byte) (safe bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	for name, value := range attributes(e) {
		request.Header.Set(name, value)
	}
	status, answer := s.do(request)
	switch {
	case status == 0 || status >= 500:
		return false, nil
	case status >= 300:
		return false, fmt.Errorf("event %s was answered %d: %s", e.id(), status, answer)
	}
	var said struct {
		ID     string
		Routes []string
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.ID != e.id() || !slices.Equal(said.Routes, []string{kinds[e.Kind].eventType}) {
		return true, fmt.Errorf("event %s was answered %d: %s", e.id(), status, answer)
	}
	return true, nil
}

// rest waits before an event is sent again.
func (s *sender) rest(ctx context.Context) {
	pause(ctx, time.Duration(5+s.random.IntN(45))*time.Millisecond)
}
