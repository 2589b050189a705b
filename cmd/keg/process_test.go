package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is keg itself when this variable is set, so that tests drive
// real processes, and what these start (the query command) is keg as well.
const beKeg = "KEG_TEST_BE_KEG"

func TestMain(m *testing.M) {
	if os.Getenv(beKeg) != "" {
		main()
		return
	}
	if os.Getenv(beKong) != "" {
		kongMain()
		return
	}
	os.Exit(m.Run())
}

// process is a running keg.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	temp   string // its folder for temporary files
	mu     sync.Mutex
	output bytes.Buffer // standard output and error
	seen   int          // of output, by until
	ended  chan error
}

// start runs keg with args in an empty folder. What it leaves running is killed
// when the test ends, and what it leaves behind is removed.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startIn(t, t.TempDir(), env, args...)
}

// startIn runs it in a folder that is there.
func startIn(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan error, 1)}
	var err error
	if p.temp, err = os.MkdirTemp("", "keg"); err != nil { // t.TempDir is too long for a socket's path
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(p.temp) })
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Dir = dir
	p.cmd.Env = append(append(os.Environ(), beKeg+"=1", "TMPDIR="+p.temp, "KEG_STATUS_LISTEN=off"), env...)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		scanner := bufio.NewScanner(reader)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			p.mu.Lock()
			p.output.WriteString(scanner.Text() + "\n")
			p.mu.Unlock()
		}
	}()
	go func() {
		<-read
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("keg %s said:\n%s", strings.Join(args, " "), p.said())
		}
	})
	return p
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// until waits for a line that holds text, after those that it has returned or
// passed over before, and returns it.
func (p *process) until(text string) string {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		ended := len(p.ended) > 0 // looked at before the lines, all of which have come then
		if line, ok := p.find(text); ok {
			return line
		}
		if ended {
			p.t.Fatalf("keg ended (%v) before it said %q:\n%s", <-p.ended, text, p.said())
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("keg did not say %q:\n%s", text, p.said())
		}
	}
}

// find returns the next whole line that holds text.
func (p *process) find(text string) (line string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		rest := p.output.Bytes()[p.seen:]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return "", false
		}
		p.seen += end + 1
		if bytes.Contains(rest[:end], []byte(text)) {
			return string(rest[:end]), true
		}
	}
}

// stop sends SIGTERM and returns the exit status.
func (p *process) stop() int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.wait()
}

func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		p.t.Fatalf("keg did not end:\n%s", p.said())
		return -1
	}
}

// runKeg runs a command that ends by itself.
func runKeg(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), beKeg+"=1", "KEG_STATUS_LISTEN=off"), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}
