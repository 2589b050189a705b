package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// storesAndDelivers is no vice: such a fake acknowledges what it has written to a
// file, and delivers later, in the order of each key, also after a kill. The
// harness must find nothing wrong with it.
const storesAndDelivers = "stores, and delivers later"

// fakeStore is one file of events, a line each, and one of what was delivered.
type fakeStore struct {
	fake         *fake
	mu           sync.Mutex
	events, done *os.File
	lines        map[string]chan owing // of ordered keys, and of the destinations without order
	delivered    map[string]bool       // of the lives before
	count        int
	stopping     atomic.Bool
	work         sync.WaitGroup
}

type owing struct {
	line        int
	e           event
	text        []byte
	destination int
}

func openFakeStore(f *fake) (*fakeStore, error) {
	s := &fakeStore{fake: f, lines: map[string]chan owing{}, delivered: map[string]bool{}}
	var err error
	open := func(name string) (*os.File, [][]byte) {
		text, _ := os.ReadFile(name)
		whole := text[:bytes.LastIndexByte(text, '\n')+1]
		_ = os.Truncate(name, int64(len(whole))) // a torn tail, which nobody was told of
		var file *os.File
		if file, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return nil, nil
		}
		lines := bytes.Split(whole, []byte("\n"))
		return file, lines[:len(lines)-1]
	}
	var events, done [][]byte
	if s.events, events = open("events"); err != nil {
		return nil, err
	}
	if s.done, done = open("done"); err != nil {
		return nil, err
	}
	for _, line := range done {
		s.delivered[string(line)] = true
	}
	for _, text := range events {
		e, err := decode(text)
		if err != nil {
			return nil, err
		}
		s.owe(e, text)
	}
	return s, nil
}

func (s *fakeStore) put(e event, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.events.Write(append(bytes.Clone(text), '\n'))
	s.owe(e, text)
}

// owe queues an event's deliveries. mu is held, or nobody else knows s.
func (s *fakeStore) owe(e event, text []byte) {
	s.count++
	for _, d := range kinds[e.Kind].owed {
		queue := fmt.Sprint(d)
		if e.Kind == ordered {
			queue = e.Key
		}
		line := s.lines[queue]
		if line == nil {
			line = make(chan owing, 100_000)
			s.lines[queue] = line
			s.work.Go(func() { s.deliver(line) })
		}
		line <- owing{s.count, e, text, d}
	}
}

func (s *fakeStore) deliver(line chan owing) {
	for o := range line {
		mark := fmt.Sprint(o.line, " ", o.destination)
		if s.delivered[mark] {
			continue
		}
		for !s.fake.try(o.e, o.text, o.destination) {
			if s.stopping.Load() {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		_, _ = s.done.WriteString(mark + "\n")
		if s.stopping.Load() {
			return
		}
	}
}

// close waits for what is under way; the rest stays for the next life.
func (s *fakeStore) close() {
	s.stopping.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		close(line)
	}
	s.work.Wait()
}
