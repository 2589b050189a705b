package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// mostInBatch is how many events go in one batch.
const mostInBatch = 10

// runBatches is run with batches of events that have no order. Each of a batch's
// events is safe or not by itself; those that are not are sent again.
func (s *sender) runBatches(ctx, more context.Context) {
	defer s.client.CloseIdleConnections()
	for s.limit.Wait(more) == nil {
		var rest []event
		for range 1 + s.random.IntN(mostInBatch) {
			rest = append(rest, s.ledger.next(fanned, s.name, pad(s.random)))
		}
		for len(rest) > 0 {
			for _, e := range rest {
				s.ledger.try(e)
			}
			safe, err := s.sendBatch(ctx, rest)
			if err != nil {
				s.ledger.note(other, "%s: %s", s.name, err)
			}
			left := rest[:0:0]
			for i, e := range rest {
				if i < len(safe) && safe[i] {
					s.ledger.acknowledge(e)
					s.acknowledged++
				} else {
					left = append(left, e)
				}
			}
			if rest = left; len(rest) > 0 {
				s.rest(ctx)
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// sendBatch tries once, and tells which events are safe; none where it does not
// know.
func (s *sender) sendBatch(ctx context.Context, events []event) (safe []bool, err error) {
	batch := make([]any, len(events))
	for i, e := range events {
		batch[i] = map[string]any{
			"specversion": "1.0", "id": e.id(), "source": e.source(), "type": kinds[e.Kind].eventType, "partitionkey": e.Key,
			"datacontenttype": "application/json", "data": json.RawMessage(e.encode()),
		}
	}
	text, err := json.Marshal(batch)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/cloudevents-batch+json")
	status, answer := s.do(request)
	if status == 0 || status >= 500 {
		return nil, nil
	}
	var entries []struct {
		Status int
		ID     string
		Routes []string
	}
	if err := json.Unmarshal(answer, &entries); err != nil || status >= 300 || len(entries) != len(events) {
		return nil, fmt.Errorf("a batch of %d events was answered %d: %s", len(events), status, answer)
	}
	safe = make([]bool, len(events))
	for i, entry := range entries {
		safe[i] = entry.Status < 300
		wrong := entry.ID != events[i].id() || safe[i] && !slices.Equal(entry.Routes, []string{kinds[fanned].eventType}) || entry.Status >= 300 && entry.Status < 500
		if wrong {
			err = fmt.Errorf("event %s of a batch was answered %+v", events[i].id(), entry)
		}
	}
	return safe, err
}

// do sends a request and returns the whole answer; a status of 0 is none, or one
// that was cut in its body: nobody would count on it.
func (s *sender) do(request *http.Request) (status int, text []byte) {
	response, err := s.client.Do(request)
	if err != nil {
		s.ledger.refuse(err.Error())
		return 0, nil
	}
	defer response.Body.Close()
	if text, err = io.ReadAll(response.Body); err != nil {
		s.ledger.refuse(err.Error())
		return 0, nil
	}
	if response.StatusCode >= 500 {
		s.ledger.refuse(fmt.Sprintf("%s: %s", response.Status, text))
	}
	return response.StatusCode, text
}
