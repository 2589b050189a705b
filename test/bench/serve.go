//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mostIdle is the promise of how much memory an idle `keg serve` holds, in KB.
const mostIdle = 40_000

// serveFigures start `keg serve` with the first look's routes, wait until it
// serves, and look at it when it has been idle for a while.
func serveFigures() ([]figure, error) {
	dir, keg, err := buildKeg()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command(keg, "serve", "--routes", "kong/routes.yaml", "--socket", filepath.Join(dir, "keg.socket"),
		"--event-sources", "http:127.0.0.1:0", "--log-format", "json")
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(log)
	for lines.Scan() && !bytes.Contains(lines.Bytes(), []byte("source listens")) {
	}
	up := time.Since(began)
	time.Sleep(2 * time.Second)
	resident, err := memory(cmd.Process.Pid, "VmRSS")
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: "from start to listening", measured: fmt.Sprintf("%d ms", up.Milliseconds())},
		{"resident when idle", fmt.Sprintf("%.1f MB", float64(resident)/1000), "under 40 MB", resident >= mostIdle, false},
	}, nil
}

// buildKeg makes a folder with keg in it, which is the caller's to remove.
func buildKeg() (dir, keg string, err error) {
	if dir, err = os.MkdirTemp("", "keg-bench-"); err != nil {
		return "", "", err
	}
	keg = filepath.Join(dir, "keg")
	if out, err := exec.Command("go", "build", "-o", keg, "./cmd/keg").CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", "", fmt.Errorf("%w\n%s", err, out)
	}
	if err := coldly(keg); err != nil {
		_ = os.RemoveAll(dir)
		return "", "", err
	}
	return dir, keg, nil
}

// coldly lets the kernel forget a file's pages. Those of one that has just been
// written are in large pieces, of which a process is given the whole, so that all
// of a fresh program counts as resident and not what it has touched.
func coldly(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// memory reads one line of a process's status, in KB of 1,000 bytes.
func memory(pid int, line string) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(status)) {
		var kib int
		if n, _ := fmt.Sscanf(text, line+":%d kB", &kib); n == 1 {
			return kib * 1024 / 1000, nil
		}
	}
	return 0, errors.New("the process's status has no " + line)
}
