//go:build linux

// Command bench measures kong/server against go-pdk's own plugin server: the
// same two calls (headers, body) of a 1 KB event, from 16 connections, each
// server as a process of its own, taking turns in one run. The command itself
// plays a Kong worker, on one thread. The servers have one processor, and the
// worker has another, so that neither takes time from the other.
//
// It prints the targets beside the figures and marks what misses them, and fails
// where more is missed than what varies from run to run.
//
// With -writes together, the worker answers all calls that have come in one
// write. With frames each frame is a write of its own, and with halves each length
// and each payload, as Kong's Lua does it. The kernel keeps what was written
// apart until it is read: kong/server pays 1 and 3 µs an event more, its rival,
// which asks one thing at a time, hardly any, and the worker becomes the slower
// side (CPU 0.27 and 0.32 of the rival's, events 3.5 and 3.0 times). The targets
// are held against the first, which has the worker cost the servers least.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

var (
	connections = flag.Int("connections", 16, "connections at once")
	rounds      = flag.Int("rounds", 15, "turns of each server")
	turn        = flag.Duration("turn", time.Second, "length of a turn")
	writes      = flag.String("writes", together, "what the worker writes at once: together, frames or halves")
)

// The values of -writes.
const (
	together = "together"
	frames   = "frames"
	halves   = "halves"
)

func main() {
	flag.Parse()
	if !slices.Contains([]string{together, frames, halves}, *writes) {
		fmt.Fprintf(os.Stderr, "bench: -writes is together, frames or halves, and not %q\n", *writes)
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "keg-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	ours, err := build(dir, "ours")
	if err != nil {
		return err
	}
	rival, err := build(dir, "rival")
	if err != nil {
		return err
	}
	sides := []*side{
		{name: "kong/server", socket: filepath.Join(dir, "ours.socket")},
		{name: "go-pdk server", socket: filepath.Join(dir, "rival.socket")},
	}
	sides[0].command = exec.Command(ours, sides[0].socket)
	sides[1].command = exec.Command(rival, "-kong-prefix", dir)
	runtime.LockOSThread() // for good: this thread is the worker, on a processor of its own
	set, err := allowed()
	if err != nil {
		return err
	}
	processors := set.list()
	if err := pin(processors[0]); err != nil {
		return err
	}
	for _, s := range sides {
		if err := s.start(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer s.stop()
	}
	if err := pin(processors[len(processors)-1]); err != nil {
		return err
	}
	for _, s := range sides {
		if _, err := s.measure(*connections, *turn/4); err != nil { // warm up
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for range *rounds {
		for _, s := range sides {
			figures, err := s.measure(*connections, *turn)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.figures = append(s.figures, figures)
		}
	}
	return report(os.Stdout, sides[0], sides[1])
}

// build makes the program of one side.
func build(dir, name string) (string, error) {
	program := filepath.Join(dir, name)
	command := exec.Command("go", "build", "-o", program, "github.com/kong/keg/kong/server/bench/"+name)
	command.Stderr = os.Stderr
	return program, command.Run()
}
