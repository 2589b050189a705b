package pluginserver

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a log that can be waited on.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), text)
}

func (j *journal) await(t *testing.T, text string, times int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); j.count(text) < times; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log says %q %d times, not %d:\n%s", text, j.count(text), times, j.text.String())
		}
	}
}

// run runs a shell script as a plugin server; stop ends it and waits.
func run(t *testing.T, grace time.Duration, command ...string) (log *journal, stop func()) {
	t.Helper()
	log = &journal{}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Process{Name: "keg", Command: command, Log: slog.New(slog.NewTextHandler(log, nil)), Grace: grace}
	ended := make(chan struct{})
	go func() { p.Run(ctx); close(ended) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(stop)
	return log, stop
}

func TestOutputAndErrorsAreJoinedInTheLog(t *testing.T) {
	log, _ := run(t, 0, "sh", "-c", "echo one; echo two >&2; printf three; exec sleep 60")
	log.await(t, "msg=one", 1)
	log.await(t, "msg=two", 1)
	log.await(t, "plugin_server=keg", 3)
}

func TestProcessThatEndsIsStartedAgainOnceASecond(t *testing.T) {
	began := time.Now()
	log, _ := run(t, 0, "sh", "-c", "echo up; exit 1")
	log.await(t, "msg=up", 3)
	if took := time.Since(began); took < 1900*time.Millisecond {
		t.Errorf("three starts in %s", took)
	}
}

func TestProcessThatLivedLongIsStartedAgainAtOnce(t *testing.T) {
	log, _ := run(t, 0, "sh", "-c", "echo up; sleep 1.2")
	log.await(t, "msg=up", 1)
	log.await(t, "plugin server ended", 1)
	began := time.Now()
	log.await(t, "msg=up", 2)
	if took := time.Since(began); took > 800*time.Millisecond {
		t.Errorf("the second start took %s", took)
	}
}

func TestCommandNotFoundIsNotStartedAgain(t *testing.T) {
	for name, command := range map[string][]string{
		"a program that is not there": {"/nowhere/keg", "serve"},
		"a shell that says 127":       {"sh", "-c", "exit 127"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &journal{}
			p := &Process{Name: "keg", Command: command, Log: slog.New(slog.NewTextHandler(log, nil))}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			p.Run(ctx)
			if ctx.Err() != nil || log.count("was not found") != 1 {
				t.Errorf("%v: %s", ctx.Err(), log.text.String())
			}
		})
	}
}

func TestStopIsSIGTERM(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	log, stop := run(t, 5*time.Second, "sh", "-c", `trap 'echo drained > `+mark+`; exit 0' TERM; echo up; while :; do sleep 0.05; done`)
	log.await(t, "msg=up", 1)
	stop()
	if text, err := os.ReadFile(mark); err != nil || string(text) != "drained\n" {
		t.Errorf("%q, %v", text, err)
	}
	if log.count("msg=up") != 1 {
		t.Error("it was started again")
	}
}

func TestProcessThatWillNotStopIsKilled(t *testing.T) {
	log, stop := run(t, 100*time.Millisecond, "sh", "-c", `trap '' TERM; echo up; while :; do sleep 0.05; done`)
	log.await(t, "msg=up", 1)
	stop()
	if log.count("did not end after SIGTERM: killed") != 1 {
		t.Error(log.text.String())
	}
}

func TestLongLinesAreCutUp(t *testing.T) {
	log, _ := run(t, 0, "sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end; exec sleep 60")
	log.await(t, "msg=end", 1)
}
