package pluginserver

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kong/keg/test/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a shell script as a plugin server; stop ends it and waits.
func run(t *testing.T, grace time.Duration, command ...string) (log *logtest.Log, stop func()) {
	t.Helper()
	log = &logtest.Log{}
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
	log.Await(t, "msg=one", 1)
	log.Await(t, "msg=two", 1)
	log.Await(t, "plugin_server=keg", 3)
}

func TestProcessThatEndsIsStartedAgainOnceASecond(t *testing.T) {
	began := time.Now()
	log, _ := run(t, 0, "sh", "-c", "echo up; exit 1")
	log.Await(t, "msg=up", 3)
	if took := time.Since(began); took < 1900*time.Millisecond {
		t.Errorf("three starts in %s", took)
	}
}

func TestProcessThatLivedLongIsStartedAgainAtOnce(t *testing.T) {
	log, _ := run(t, 0, "sh", "-c", "echo up; sleep 1.2")
	log.Await(t, "msg=up", 1)
	log.Await(t, "plugin server ended", 1)
	began := time.Now()
	log.Await(t, "msg=up", 2)
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
			log := &logtest.Log{}
			p := &Process{Name: "keg", Command: command, Log: slog.New(slog.NewTextHandler(log, nil))}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			p.Run(ctx)
			if ctx.Err() != nil || len(log.Lines("was not found")) != 1 {
				t.Errorf("%v: %s", ctx.Err(), log)
			}
		})
	}
}

func TestStopIsSIGTERM(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	log, stop := run(t, 5*time.Second, "sh", "-c", `trap 'echo drained > `+mark+`; exit 0' TERM; echo up; while :; do sleep 0.05; done`)
	log.Await(t, "msg=up", 1)
	stop()
	if text, err := os.ReadFile(mark); err != nil || string(text) != "drained\n" {
		t.Errorf("%q, %v", text, err)
	}
	if len(log.Lines("msg=up")) != 1 {
		t.Error("it was started again")
	}
}

func TestProcessThatWillNotStopIsKilled(t *testing.T) {
	log, stop := run(t, 100*time.Millisecond, "sh", "-c", `trap '' TERM; echo up; while :; do sleep 0.05; done`)
	log.Await(t, "msg=up", 1)
	stop()
	if len(log.Lines("did not end after SIGTERM: killed")) != 1 {
		t.Error(log)
	}
}

func TestLongLinesAreCutUp(t *testing.T) {
	log, _ := run(t, 0, "sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end; exec sleep 60")
	log.Await(t, "msg=end", 1)
}
