//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/kong/keg/kong/server/bench/usage"
)

// side is one of the two servers.
type side struct {
	name    string
	socket  string
	command *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
	figures []figures
}

// figures are those of one turn.
type figures struct {
	rate   float64 // events a second
	cpu    float64 // microseconds of the plugin process an event
	allocs float64 // allocations an event
	bytes  float64 // allocated an event
}

// start runs the process and waits for its socket.
func (s *side) start() error {
	var err error
	if s.ask, err = s.command.StdinPipe(); err != nil {
		return err
	}
	out, err := s.command.StdoutPipe()
	if err != nil {
		return err
	}
	s.answers = bufio.NewReader(out)
	s.command.Stderr = io.Discard
	if err := s.command.Start(); err != nil {
		return err
	}
	for range 500 {
		if peer, err := net.Dial("unix", s.socket); err == nil {
			return peer.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the socket did not appear")
}

// stop ends the process, which does so when its standard input ends.
func (s *side) stop() {
	_ = s.ask.Close()
	_ = s.command.Wait()
	_ = os.Remove(s.socket)
}

func (s *side) usage() (usage.Report, error) {
	var r usage.Report
	if _, err := fmt.Fprintln(s.ask); err != nil {
		return r, err
	}
	line, err := s.answers.ReadBytes('\n')
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(line, &r)
}

// measure runs events for a while.
func (s *side) measure(connections int, length time.Duration) (figures, error) {
	kong, err := newWorker()
	if err != nil {
		return figures{}, err
	}
	defer kong.close()
	for range connections {
		if err := kong.connect(s.socket); err != nil {
			return figures{}, err
		}
	}
	before, err := s.usage()
	if err != nil {
		return figures{}, err
	}
	began := time.Now()
	ended, err := kong.run(length)
	if err != nil {
		return figures{}, err
	}
	took := time.Since(began)
	after, err := s.usage()
	if err != nil {
		return figures{}, err
	}
	total := float64(ended)
	return figures{
		rate:   total / took.Seconds(),
		cpu:    float64((after.CPU - before.CPU).Microseconds()) / total,
		allocs: float64(after.Mallocs-before.Mallocs) / total,
		bytes:  float64(after.Bytes-before.Bytes) / total,
	}, nil
}
