//go:build !race

// What is tested here is a shell script; the race detector would find nothing, and
// makes the many short processes slow.

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestTheEntrypointRunsOtherProgramsAsTheyAre(t *testing.T) {
	e := enter(t, sh, nil, "sh", "-c", `echo "$1 ${KONG_PLUGINS:-unset}"; exit 5`, "sh", "a  b")
	if status := e.wait(); status != 5 || e.said() != "a  b unset\n" {
		t.Errorf("exit status %d: %s", status, e.said())
	}
}

func TestTheEntrypointEndsAsKongDoes(t *testing.T) {
	e := enter(t, sh, []string{"KONG_ENDS_WITH=3"}, "kong", "start")
	if status := e.wait(); status != 3 || !strings.Contains(e.said(), "keg has stopped") {
		t.Errorf("exit status %d: %s", status, e.said())
	}
}

func TestTheEntrypointStartsAKegThatDiedAgain(t *testing.T) {
	e := enter(t, sh, nil, "kong", "start")
	e.kong()
	for range 2 {
		text, err := os.ReadFile(filepath.Join(e.dir, "keg.pid"))
		do(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		do(t, err)
		do(t, syscall.Kill(pid, syscall.SIGKILL))
		e.until("keg ended with status 137, and is started again")
		e.until("keg serves")
	}
	if status := e.stop(); status != 0 || !strings.Contains(e.said(), "kong: the last request ended") {
		t.Errorf("exit status %d", status)
	}
}

// TestTheEntrypointDrainsBoth: Kong hears first and has keg until its end, keg
// hears then and ends as told, and nothing is left.
func TestTheEntrypointDrainsBoth(t *testing.T) {
	for _, shell := range [][]string{{"dash"}, {"bash", "--posix"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			t.Fatal(err)
		}
		for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
			t.Run(shell[0]+" "+signal.String(), func(t *testing.T) {
				e := enter(t, shell, nil, "kong", "start")
				e.kong()
				do(t, e.cmd.Process.Signal(signal))
				e.until("Kong's requests end first")
				e.until("kong: the last request ended, and the plugins were there")
				e.until("keg stops")
				e.until("keg has stopped")
				if status := e.wait(); status != 0 {
					t.Errorf("exit status %d", status)
				}
				if err := syscall.Kill(-e.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
					t.Errorf("something is left of its processes: %v", err)
				}
			})
		}
	}
}

func TestTheEntrypointStopsBeforeThereIsAKong(t *testing.T) {
	// A pipe for a routes file holds keg up before it listens.
	pipe := filepath.Join(t.TempDir(), "routes.yaml")
	do(t, syscall.Mkfifo(pipe, 0o600))
	e := enter(t, sh, []string{"KEG_ROUTE_CONFIG=" + pipe}, "kong", "start")
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when keg reads
	do(t, err)
	do(t, e.cmd.Process.Signal(syscall.SIGTERM))
	do(t, writer.Close())
	e.wait()
	if _, err := os.Stat(e.record()); err == nil {
		t.Error("Kong was started after the signal")
	}
}
