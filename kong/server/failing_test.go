package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/test/logtest"
)

func TestAFailingPluginIsAnsweredAndHarmsNobody(t *testing.T) {
	for _, test := range []struct {
		name   string
		access func(context.Context, *server.Call) error
		log    string
	}{
		{"an error", func(context.Context, *server.Call) error { return errors.New("the moon is full") }, "the moon is full"},
		{"a panic", func(context.Context, *server.Call) error { panic("boom") }, "panic: boom"},
		{"a nil dereference", func(context.Context, *server.Call) error { var c *server.Call; _ = c.Phase(); return nil }, "nil pointer"},
		{"an illegal status", func(_ context.Context, c *server.Call) error { return c.Exit(42, nil, nil) }, "status 42"},
		{"a forged header", func(_ context.Context, c *server.Call) error {
			return c.Exit(200, map[string][]string{"a": {"b\r\nset-cookie: c"}}, nil)
		}, "line break"},
		{"a call that cannot be made", func(_ context.Context, c *server.Call) error {
			b := c.Batch()
			b.Headers(0)
			return b.Do()
		}, "ask for 1 to 1000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log logtest.Log
			socket := serve(t, server.Options{Log: log.Logger(), Plugins: []server.Plugin{echo("p", test.access)}})
			k := newKong(t, dial(t, socket))
			id := k.start("p", `{}`)

			answer := k.exit(id, "access")
			if answer.Status != 500 || !json.Valid(answer.Body) || strings.Contains(string(answer.Body), test.log) {
				t.Errorf("the client hears %d %s", answer.Status, answer.Body)
			}
			if len(log.Lines(test.log)) != 1 {
				t.Errorf("the log says\n%s", log.String())
			}
			if strings.Contains(test.log, "panic") && !strings.Contains(log.String(), "failing_test.go") {
				t.Error("the log shows no stack")
			}
			// In the log phase there is nobody to answer: the event just ends.
			newKong(t, dial(t, socket)).event(id, "log")
		})
	}
}

func TestAPanicStormLeavesTheServerServing(t *testing.T) {
	var log logtest.Log
	socket := serve(t, server.Options{Log: log.Logger(), Plugins: []server.Plugin{
		echo("bad", func(context.Context, *server.Call) error { panic("again") }),
		echo("good", func(context.Context, *server.Call) error { return nil }),
	}})
	k := newKong(t, dial(t, socket))
	bad, good := k.start("bad", `{}`), k.start("good", `{}`)
	var storm sync.WaitGroup
	for range 8 {
		storm.Go(func() {
			for range 50 {
				newKong(t, dial(t, socket)).exit(bad, "access")
			}
		})
	}
	for range 200 {
		k.event(good, "access")
	}
	storm.Wait()
	k.event(good, "access")
	if n := len(log.Lines("panic: again")); n != 1 {
		t.Errorf("the same panic was logged %d times", n)
	}
}

func TestAStartThatFailsClosesTheConnectionAndSaysWhyOnce(t *testing.T) {
	for _, test := range []struct {
		name, config, log string
		start             func(any) (server.Instance, error)
	}{
		{"an error", `{}`, "no such route", func(any) (server.Instance, error) { return nil, errors.New("no such route") }},
		{"a panic", `{}`, "panic: start", func(any) (server.Instance, error) { panic("start") }},
		{"a config of the wrong type", `{"mode":["s3cret"]}`, "mode must be a string", nil},
		{"a config that is no JSON", `{"mode":s3cret`, "no JSON document", nil},
		{"an instance without the phase", `{}`, "does not handle it", func(any) (server.Instance, error) { return closer{}, nil }},
		{"no instance at all", `{}`, "no instance", func(any) (server.Instance, error) { return nil, nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log logtest.Log
			p := echo("p", nil)
			if test.start != nil {
				p.Start = test.start
			}
			socket := serve(t, server.Options{Log: log.Logger(), Plugins: []server.Plugin{p}})
			for range 3 {
				if _, err := newKong(t, dial(t, socket)).call(startCommand("p", test.config)); !errors.Is(err, io.EOF) {
					t.Errorf("want a closed connection: %v", err)
				}
			}
			if len(log.Lines(test.log)) != 1 || len(log.Lines("s3cret")) != 0 {
				t.Errorf("the log says\n%s", log.String())
			}
		})
	}
}

func TestTwoPluginsWithTheSameFailureAreBothHeardOf(t *testing.T) {
	var log logtest.Log
	fail := func(context.Context, *server.Call) error { return errors.New("away") }
	socket := serve(t, server.Options{Log: log.Logger(), Plugins: []server.Plugin{echo("a", fail), echo("b", fail)}})
	for _, name := range []string{"a", "b", "a", "b"} {
		k := newKong(t, dial(t, socket))
		k.exit(k.start(name, `{}`), "access")
	}
	if len(log.Lines("plugin=a")) != 1 || len(log.Lines("plugin=b")) != 1 {
		t.Errorf("the log says\n%s", log.String())
	}
}

type closer struct{}

func (closer) Close() error { return nil }

func TestWhatKongMustStartAgainIsAnsweredByAClose(t *testing.T) {
	socket := serve(t, server.Options{Plugins: []server.Plugin{echo("p", nil)}})
	if _, err := newKong(t, dial(t, socket)).call(eventCommand(1<<30+5, "access")); err != io.EOF {
		t.Errorf("an event of an unknown instance: %v", err)
	}
	if _, err := newKong(t, dial(t, socket)).call(closeCommand(1<<30 + 5)); err != io.EOF {
		t.Errorf("the close of an unknown instance: %v", err)
	}
	if _, err := newKong(t, dial(t, socket)).call(startCommand("q", `{}`)); err != io.EOF {
		t.Errorf("the start of an unknown plugin: %v", err)
	}
}

func TestACallIsOfNoUseAfterItsPhase(t *testing.T) {
	kept := make(chan *server.Call, 1)
	socket := serve(t, server.Options{Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
		kept <- c
		return nil
	})}})
	k := newKong(t, dial(t, socket))
	id := k.start("p", `{}`)
	k.event(id, "access")
	c := <-kept
	b := c.Batch()
	b.Method()
	if err := b.Do(); !errors.Is(err, server.ErrOver) {
		t.Errorf("a batch after the phase: %v", err)
	}
	if err := c.Exit(200, nil, nil); !errors.Is(err, server.ErrOver) {
		t.Errorf("an exit after the phase: %v", err)
	}
	if _, err := c.PDK().Request.GetMethod(); !errors.Is(err, server.ErrOver) {
		t.Errorf("the kit after the phase: %v", err)
	}
}

func TestNothingIsAskedAfterAnExit(t *testing.T) {
	errs := make(chan error, 4)
	var log logtest.Log
	socket := serve(t, server.Options{Log: log.Logger(), Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
		if err := c.Exit(200, nil, nil); err != nil {
			return err
		}
		b := c.Batch()
		b.Method()
		errs <- b.Do()
		errs <- c.Exit(201, nil, nil)
		return errors.New("too late")
	})}})
	k := newKong(t, dial(t, socket))
	if answer := k.exit(k.start("p", `{}`), "access"); answer.Status != 200 {
		t.Errorf("answered %d", answer.Status)
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, server.ErrExited) {
			t.Errorf("after the exit: %v", err)
		}
	}
}
