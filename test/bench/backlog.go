//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

const (
	backlog     = 1_000_000
	backlogPuts = 100 // events in one Put
	// mostBusy is the promise of how much memory keg holds while it takes and
	// delivers with all that waiting, in KB.
	mostBusy    = 200_000
	underAWhile = 2 * time.Second
)

const backlogRoutes = `sources:
  - {type: http, name: http, address: "127.0.0.1:0"}
routes:
  - name: all
    match: {}
    destinations: [{type: discard, name: nowhere, address: nowhere}]
`

// backlogFigures start keg on a store in which a million events wait. It must
// not take longer to take the next one, nor more memory, for that.
func backlogFigures() ([]figure, error) {
	dir, keg, err := buildKeg()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	e := newEvents()
	if err := fill(filepath.Join(dir, "store"), e, backlog); err != nil {
		return nil, err
	}
	n, err := startNode(keg, dir, backlogRoutes, 1, embeddedStore(dir)...)
	if err != nil {
		return nil, err
	}
	defer n.stop()
	taking := load{address: n.listening["http"], connections: 1, events: e, first: backlog + 1, count: 1}
	if _, err := taking.send(); err != nil {
		return nil, err
	}
	first := time.Since(n.began)
	taking = load{address: n.listening["http"], connections: fewSenders, events: e, first: backlog + 2, length: underAWhile}
	meanwhile, err := taking.send()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	before, err := n.delivered("nowhere")
	if err != nil {
		return nil, err
	}
	all := backlog + 1 + meanwhile.taken
	if err := n.awaitDelivered("nowhere", all, 5*time.Minute); err != nil {
		return nil, err
	}
	rate := float64(all-before) / time.Since(began).Seconds()
	resident, err := memory(n.cmd.Process.Pid, "VmHWM")
	if err != nil {
		return nil, err
	}
	return []figure{
		{"from start to the first event taken, with 1,000,000 waiting", fmt.Sprintf("%d ms", first.Milliseconds()), "under 1000 ms", first >= time.Second, first < 1300*time.Millisecond},
		{what: "events of 1 KB a second by HTTP meanwhile, `ack: stored`", measured: fmt.Sprintf("%.0f", meanwhile.rate())},
		atLeast("what waits, delivered to nowhere a second", rate, 50_000),
		{"most that was resident", fmt.Sprintf("%.0f MB", float64(resident)/1000), "under 200 MB", resident >= mostBusy, false},
	}, nil
}

// fill stores the events 1 to n, owed to the destination of [backlogRoutes].
func fill(dir string, e *events, n int) (err error) {
	store, err := embedded.Open(dir, embedded.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	next := 1
	take := func() (entries []*outbox.Entry) {
		mu.Lock()
		defer mu.Unlock()
		for ; len(entries) < backlogPuts && next <= n; next++ {
			data := bytes.Clone(e.make(next))
			entries = append(entries, &outbox.Entry{
				Event: &keg.Event{ID: e.id(next), Source: "//bench", Type: eventType, DataContentType: "application/json", Data: data},
				Owed:  []*outbox.Owed{{Queue: outbox.Queue{Route: "all", Destination: "nowhere"}}},
			})
		}
		return entries
	}
	failures := make(chan error, 16)
	var filling sync.WaitGroup
	for range cap(failures) {
		filling.Go(func() {
			for entries := take(); len(entries) > 0; entries = take() {
				if err := store.Put(context.Background(), entries...); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	filling.Wait()
	close(failures)
	err = <-failures
	if closed := store.Close(); err == nil {
		err = closed
	}
	return err
}
