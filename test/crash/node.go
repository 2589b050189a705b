package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kong/keg/test/ports"
)

// node is `keg serve`, started again and again on the same store.
type node struct {
	keg           string
	env           []string // beside the harness's own, without its KEG_*
	dir           string
	source        string // the HTTP source's address
	socket        string // the plugin server's
	status        string
	routes        string
	orderedRoutes bool

	log   *os.File
	cmd   *exec.Cmd
	ended chan error
}

// attemptTimeout is the destinations', so that what hangs does not hang long.
const attemptTimeout = 2 * time.Second

// newNode writes the routes, which lead to a receiver.
func newNode(c config, dir, receiver string) (*node, error) {
	n := &node{
		keg: c.keg, env: c.env, dir: dir, socket: filepath.Join(dir, "keg.socket"), routes: filepath.Join(dir, "routes.yaml"),
		orderedRoutes: c.persistence != "",
	}
	var err error
	if n.log, err = os.Create(filepath.Join(dir, "keg.log")); err != nil {
		return nil, err
	}
	for _, address := range []*string{&n.source, &n.status} {
		if *address, err = ports.Free(); err != nil {
			return nil, err
		}
	}
	if c.persistence != "" {
		n.env = append(n.env, "KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL="+c.persistence)
	}
	var b strings.Builder
	// So many attempts that none is the last: no event becomes a dead letter.
	fmt.Fprintf(&b, "defaults: {timeout: %s, retry: {max_attempts: 1000, backoff: 20ms, max_backoff: 200ms}}\nroutes:\n", attemptTimeout)
	for k, kind := range kinds {
		fmt.Fprintf(&b, "  - name: %s\n    match: {event_type: %s}\n", kind.eventType, kind.eventType)
		if k == int(ordered) && n.orderedRoutes {
			b.WriteString("    ordered: true\n")
		}
		b.WriteString("    destinations:\n")
		for _, d := range kind.owed {
			fmt.Fprintf(&b, "      - {type: http, address: \"http://%s%s\"}\n", receiver, destinations[d])
		}
	}
	return n, os.WriteFile(n.routes, []byte(b.String()), 0o600)
}

// start starts the process and does not wait for it to listen.
func (n *node) start(inFlight int) error {
	n.cmd = exec.Command(n.keg, "serve", "--routes", n.routes, "--socket", n.socket, "--event-sources", "http:"+n.source,
		"--max-in-flight", fmt.Sprint(inFlight), "--log-format", "text")
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "KEG_") && !strings.HasPrefix(variable, "KONG_") {
			n.cmd.Env = append(n.cmd.Env, variable)
		}
	}
	n.cmd.Env = append(append(n.cmd.Env, "KEG_STATUS_LISTEN="+n.status), n.env...)
	n.cmd.Dir, n.cmd.Stdout, n.cmd.Stderr = n.dir, n.log, n.log
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) { ended <- cmd.Wait() }(n.cmd, n.ended)
	return nil
}

// listens waits until the source takes connections.
func (n *node) listens(patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", n.source)
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-n.ended:
			n.ended <- err
			return fmt.Errorf("keg has ended by itself: %w", endedBy(err))
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("keg does not listen after %v", patience)
		}
	}
}

// live lets it run for a while. Its end is an error.
func (n *node) live(length time.Duration) error {
	select {
	case err := <-n.ended:
		n.ended <- err
		return fmt.Errorf("keg has ended by itself: %w", endedBy(err))
	case <-time.After(length):
		return nil
	}
}

// kill kills it, however it is, and waits for its end.
func (n *node) kill() {
	if n.ended == nil { // never started
		return
	}
	_ = n.cmd.Process.Kill()
	<-n.ended
	n.ended <- nil
}

// terminate asks it to stop; it is killed if it has not after patience, and
// killed reports that. Any other end than with status 0 is an error.
func (n *node) terminate(patience time.Duration) (killed bool, err error) {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return false, err
	}
	select {
	case err := <-n.ended:
		n.ended <- err
		if err != nil {
			return false, fmt.Errorf("keg was asked to stop and ended badly: %w", err)
		}
		return false, nil
	case <-time.After(patience):
		n.kill()
		return true, nil
	}
}

func endedBy(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// logTail is the end of what it logged.
func (n *node) logTail() string {
	text, err := os.ReadFile(n.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// panics are lines of its log that tell of faults that it caught, or did not.
func (n *node) panics() (found []string) {
	text, err := os.ReadFile(n.log.Name())
	if err != nil {
		return []string{err.Error()}
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "a fault of KEG") || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.Contains(line, "DATA RACE") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
