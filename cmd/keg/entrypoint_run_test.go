//go:build !race

// What is tested here is a shell script; the race detector would find nothing, and
// makes the many short processes slow.

package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
)

// The image's entrypoint, run with this keg and a `kong` that records what it is
// given (entrypoint_kong_test.go).

const entrypoint = "../../kong/docker-entrypoint.sh"

// entry is one run of it.
type entry struct {
	*process
	dir string // Kong's prefix, and where the record is
}

// enter starts the entrypoint in a shell with these variables and no others but
// those that every program has.
func enter(t *testing.T, shell []string, env []string, args ...string) *entry {
	t.Helper()
	return enterFrom(t, entrypoint, shell, env, args...)
}

// enterFrom starts another copy of it.
func enterFrom(t *testing.T, script string, shell []string, env []string, args ...string) *entry {
	t.Helper()
	dir, err := os.MkdirTemp("", "keg")
	do(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bin := filepath.Join(dir, "bin")
	do(t, os.Mkdir(bin, 0o700))
	self, err := filepath.Abs(os.Args[0])
	do(t, err)
	for name, be := range map[string]string{"keg": beKeg, "kong": beKong} {
		do(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho $$ >\"$KONG_PREFIX/"+name+".pid\"\nexec env "+be+"=1 '"+self+"' \"$@\"\n"), 0o700))
	}
	script, err = filepath.Abs(script)
	do(t, err)
	e := &entry{&process{t: t, ended: make(chan error, 1)}, dir}
	e.cmd = exec.Command(shell[0], slices.Concat(shell[1:], []string{script}, args)...)
	e.cmd.Dir = dir
	e.cmd.Env = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "KONG_PREFIX=" + dir,
		"KONG_SAW=" + e.record(), "KEG_STATUS_LISTEN=off", "KEG_LOG_FORMAT=text"}, env...)
	// A group of its own, so that nothing of it outlives the test.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	reader, writer, err := os.Pipe()
	do(t, err)
	e.cmd.Stdout, e.cmd.Stderr = writer, writer
	do(t, e.cmd.Start())
	writer.Close()
	go func() {
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			e.mu.Lock()
			e.output.WriteString(lines.Text() + "\n")
			e.mu.Unlock()
		}
		e.ended <- e.cmd.Wait() // when all who can write have ended
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the entrypoint said:\n%s", e.said())
		}
	})
	return e
}

func (e *entry) record() string { return filepath.Join(e.dir, "saw.json") }

// kong waits until Kong has been started, and returns what it was given.
func (e *entry) kong() kongSaw {
	e.t.Helper()
	e.until("kong: started")
	return e.saw()
}

func (e *entry) saw() (saw kongSaw) {
	e.t.Helper()
	text, err := os.ReadFile(e.record())
	do(e.t, err)
	do(e.t, json.Unmarshal(text, &saw))
	return saw
}

var (
	sh = []string{"sh"}
	// The settings that Kong has from the entrypoint alone.
	ours = regexp.MustCompile(`^KONG_(PLUGINS|PLUGINSERVER_.*|DATABASE|DECLARATIVE_CONFIG|NGINX_.*)$`)
)
