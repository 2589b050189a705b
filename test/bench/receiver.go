//go:build linux

package main

import (
	"io"
	"net"
	"net/http"
	"sync"
)

// receive runs an HTTP server that takes every event, until the returned
// function is called.
func receive(l *ledger) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	bodies := sync.Pool{New: func() any { return new([eventBytes]byte) }}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodies.Get().(*[eventBytes]byte)
		defer bodies.Put(body)
		if _, err := io.ReadFull(r.Body, body[:]); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		l.take(body[:])
	})}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String() + "/", func() { _ = server.Close() }, nil
}
