//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

const throughPostgresTime = 5 * time.Second

// storedInPostgresFigures send to a keg that stores in PostgreSQL and delivers to
// nowhere, as fast as it takes events.
func storedInPostgresFigures() ([]figure, error) {
	database := os.Getenv("KEG_TEST_POSTGRES")
	if database == "" {
		return nil, errors.New("KEG_TEST_POSTGRES is not set: run this by test/services/run")
	}
	dir, keg, err := buildKeg()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	n, err := startNode(keg, dir, backlogRoutes, 1, "KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL="+database)
	if err != nil {
		return nil, err
	}
	defer n.stop()
	s := &series{node: n, events: newEvents()}
	if _, err := s.send("http", load{connections: fewSenders, length: time.Second}); err != nil { // warm up
		return nil, err
	}
	before, began := s.sent, time.Now()
	done, err := s.send("http", load{connections: fewSenders, length: throughPostgresTime})
	if err != nil {
		return nil, err
	}
	delivered := float64(s.sent-before) / time.Since(began).Seconds()
	return []figure{
		{what: "events of 1 KB a second by HTTP, `ack: stored`", measured: fmt.Sprintf("%.0f", done.rate())},
		{what: "delivered to nowhere meanwhile, to the last", measured: fmt.Sprintf("%.0f a second", delivered)},
	}, nil
}
