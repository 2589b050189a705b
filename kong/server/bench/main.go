//go:build linux

// Command bench measures kong/server against go-pdk's own plugin server: the
// same two calls (headers, body) of a 1 KB event, from 16 connections, each
// server as a process of its own, taking turns in one run. The command itself
// plays a Kong worker, on one thread. The servers have one processor, and the
// worker has another, so that neither takes time from the other.
//
// It prints the targets beside the figures, and fails where kong/server is far
// from them.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

var (
	connections = flag.Int("connections", 16, "connections at once")
	rounds      = flag.Int("rounds", 4, "turns of each server")
	turn        = flag.Duration("turn", 2*time.Second, "length of a turn")
)

func main() {
	flag.Parse()
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
