package pluginserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a plugin server that is started and kept running.
type Process struct {
	Name    string
	Command []string
	Log     *slog.Logger
	// Grace is how long a process may take to end after SIGTERM, before it is
	// killed; 0 means 10 seconds.
	Grace time.Duration
}

// Run starts the process, and starts it again when it ends, at most once a
// second; one that ends with 127 (command not found) is left. It returns when
// ctx is over and the process has ended. Standard output and error are
// joined and logged line by line.
func (p *Process) Run(ctx context.Context) {
	for {
		next := time.Now().Add(time.Second)
		code := p.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if code == 127 {
			p.Log.Error("the plugin server's start command was not found; it is not started again",
				"plugin_server", p.Name, "command", strings.Join(p.Command, " "))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
	}
}

// once runs the process to its end and returns its exit code, -1 for a signal.
func (p *Process) once(ctx context.Context) int {
	cmd := exec.Command(p.Command[0], p.Command[1:]...)
	reader, writer, err := os.Pipe()
	if err != nil {
		p.Log.Error("no pipe for the plugin server's output", "plugin_server", p.Name, "error", err)
		return -1
	}
	defer reader.Close()
	cmd.Stdout, cmd.Stderr = writer, writer
	err = cmd.Start()
	writer.Close()
	if err != nil {
		p.Log.Error("the plugin server cannot be started", "plugin_server", p.Name, "error", err)
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return 127
		}
		return -1
	}
	p.Log.Info("plugin server started", "plugin_server", p.Name, "pid", cmd.Process.Pid)
	var lines sync.WaitGroup
	lines.Go(func() { p.logLines(reader, cmd.Process.Pid) })
	ended := make(chan struct{})
	var stopping sync.WaitGroup
	stopping.Go(func() {
		select {
		case <-ctx.Done():
			p.terminate(cmd.Process, ended)
		case <-ended:
		}
	})
	_ = cmd.Wait() // how it ended is in ProcessState
	close(ended)
	stopping.Wait()
	// A process that the plugin server left behind may hold the pipe open.
	_ = reader.SetReadDeadline(time.Now().Add(time.Second))
	lines.Wait()
	p.Log.Info("plugin server ended", "plugin_server", p.Name, "pid", cmd.Process.Pid, "how", cmd.ProcessState.String())
	return cmd.ProcessState.ExitCode()
}

func (p *Process) terminate(process *os.Process, ended <-chan struct{}) {
	_ = process.Signal(syscall.SIGTERM)
	grace := p.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	select {
	case <-ended:
	case <-time.After(grace):
		p.Log.Warn("the plugin server did not end after SIGTERM: killed", "plugin_server", p.Name, "pid", process.Pid)
		_ = process.Kill()
	}
}

// maxLine is the longest line that is logged whole; a longer one is cut up.
const maxLine = 64 << 10

func (p *Process) logLines(r io.Reader, pid int) {
	buffered := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := buffered.ReadSlice('\n')
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			p.Log.Info(text, "plugin_server", p.Name, "pid", pid)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
