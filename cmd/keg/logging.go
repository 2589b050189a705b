package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// newLog makes the process's log on w: text on a terminal, JSON elsewhere. Kong
// reads a plugin server's output through a pipe in one worker; a pipe that is
// full blocks whoever writes to it. So lines go through a bounded queue, and one
// that finds it full is dropped and counted: logging never holds up an event.
// Stop writes what is queued.
func newLog(w *os.File, level slog.Level, format string) (log *slog.Logger, stop func()) {
	queue := newLineQueue(w, 4096)
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(queue, options)
	if format == "text" || format == "auto" && term.IsTerminal(int(w.Fd())) {
		handler = slog.NewTextHandler(queue, options)
	}
	return slog.New(handler), queue.stop
}

func logLevel(text string) (level slog.Level, err error) {
	if level.UnmarshalText([]byte(text)) != nil {
		return level, fmt.Errorf("is no log level; debug, info, warn and error are")
	}
	return level, nil
}

func logFormat(text string) (string, error) {
	switch text {
	case "text", "json", "auto":
		return text, nil
	}
	return "", fmt.Errorf("is no log format; text, json and auto are")
}

// lineQueue is a writer that never blocks.
type lineQueue struct {
	w       io.Writer
	lines   chan []byte
	dropped atomic.Int64
	mu      sync.RWMutex // held for reading by writers, for writing by stop
	closed  bool
	done    chan struct{}
}

func newLineQueue(w io.Writer, size int) *lineQueue {
	q := &lineQueue{w: w, lines: make(chan []byte, size), done: make(chan struct{})}
	go q.run()
	return q
}

// Write queues a copy of one line, or counts it as dropped.
func (q *lineQueue) Write(line []byte) (int, error) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return len(line), nil
	}
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.dropped.Add(1)
	}
	return len(line), nil
}

func (q *lineQueue) run() {
	defer close(q.done)
	for line := range q.lines {
		_, _ = q.w.Write(line)
		if n := q.dropped.Swap(0); n > 0 {
			_, _ = fmt.Fprintf(q.w, "keg: %d log lines dropped: the log's reader is too slow\n", n)
		}
	}
}

// stop takes no more lines, and returns when the queued ones are written, or
// after a second in which the reader did not take them.
func (q *lineQueue) stop() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.lines)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(time.Second):
	}
}
