//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// node is a `keg serve` that is measured.
type node struct {
	cmd       *exec.Cmd
	began     time.Time
	listening map[string]string // addresses: of sources by name, and of "status"
	ended     chan error
}

// startNode starts keg with a routes file, in dir, and waits until so many
// sources and the status listener listen. env is added to the environment.
func startNode(keg, dir, routes string, sources int, env ...string) (*node, error) {
	path := filepath.Join(dir, "routes.yaml")
	if err := os.WriteFile(path, []byte(routes), 0o600); err != nil {
		return nil, err
	}
	n := &node{listening: map[string]string{}, ended: make(chan error, 1)}
	n.cmd = exec.Command(keg, "serve", "--routes", path, "--socket", filepath.Join(dir, "keg.socket"), "--status-listen", "127.0.0.1:0", "--log-format", "json")
	n.cmd.Env = append(os.Environ(), env...)
	out, err := n.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	n.began = time.Now()
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go n.read(out, sources+1, ready)
	select {
	case err = <-ready:
	case <-time.After(30 * time.Second):
		err = errors.New("keg does not listen after 30 s")
	}
	if err != nil {
		n.stop()
		return nil, err
	}
	return n, nil
}

// read reads the log until keg ends, and passes on what is told of trouble.
func (n *node) read(log io.Reader, listeners int, ready chan<- error) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Level, Msg, Source, Address string }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Level == "ERROR" || line.Level == "WARN" {
			fmt.Fprintln(os.Stderr, "keg:", lines.Text())
		}
		if len(n.listening) == listeners {
			continue
		}
		switch line.Msg {
		case "source listens":
			n.listening[line.Source] = line.Address
		case "status listens":
			n.listening["status"] = line.Address
		}
		if len(n.listening) == listeners {
			ready <- nil
		}
	}
	err := n.cmd.Wait()
	ready <- fmt.Errorf("keg has ended: %w", err)
	n.ended <- err
}

// stop asks keg to stop, and waits for its end.
func (n *node) stop() {
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.ended:
	case <-time.After(30 * time.Second):
		_ = n.cmd.Process.Kill()
		<-n.ended
	}
}

// cpu is the processor time that keg has taken so far, of all its threads.
func (n *node) cpu() (time.Duration, error) {
	const cpuClockOfProcess = 2 // the lowest bits of clock_getcpuclockid(3)
	var t unix.Timespec
	err := unix.ClockGettime(int32(^n.cmd.Process.Pid<<3|cpuClockOfProcess), &t)
	return time.Duration(t.Nano()), err
}

// delivered is how many deliveries keg has made to a destination of type
// discard.
func (n *node) delivered(address string) (int, error) {
	response, err := http.Get("http://" + n.listening["status"] + "/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), `keg_deliveries_total{destination="discard:`+address+`",outcome="delivered"} `)
	if !found {
		return 0, nil // no event yet
	}
	var count float64
	_, err = fmt.Sscan(rest, &count)
	return int(count), err
}

// awaitDelivered waits until exactly so many are delivered.
func (n *node) awaitDelivered(address string, want int, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got, err := n.delivered(address)
		switch {
		case err != nil:
			return err
		case got == want:
			return nil
		case got > want:
			return fmt.Errorf("%d events were delivered where %d were sent", got, want)
		case time.Now().After(deadline):
			return fmt.Errorf("%d of %d events were not delivered within %v", want-got, want, patience)
		}
	}
}
