//go:build real

package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setting(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run this by test/services/run", name)
	}
	return value
}

// control stops and starts the database.
func control(t testing.TB, action string) {
	t.Helper()
	if out, err := exec.Command(setting(t, "KEG_TEST_SERVICES"), action, "postgres").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", action, err, out)
	}
}

var schemas atomic.Int64

// newSchema is the URL of a schema of the test's own.
func newSchema(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("keg_%d_%d", time.Now().UnixNano(), schemas.Add(1))
	t.Cleanup(func() {
		if c, err := pgx.Connect(context.Background(), setting(t, "KEG_TEST_POSTGRES")); err == nil {
			_, _ = c.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+name+" CASCADE")
			_ = c.Close(context.Background())
		}
	})
	return with(t, setting(t, "KEG_TEST_POSTGRES"), func(u *url.URL, q url.Values) { q.Set("schema", name) })
}

// with is a URL with a change.
func with(t testing.TB, raw string, change func(*url.URL, url.Values)) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	change(u, q)
	u.RawQuery = q.Encode()
	return u.String()
}

func schemaOf(t testing.TB, raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("schema")
}

func open(t testing.TB, url string, o Options) *Store {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := Open(ctxOf(t), url, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// opened is open, and closes it in the end.
func opened(t testing.TB, url string, o Options) *Store {
	s := open(t, url, o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// kill ends the store's work as the end of its process would: nothing is given back.
func (s *Store) kill() {
	s.health.set(&outbox.UnavailableError{Problem: "killed"})
	s.stop()
	s.working.Wait()
	s.pool.Close()
}

func ctxOf(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// query reads one value with a connection of its own.
func query[T any](t testing.TB, raw, sql string, args ...any) T {
	t.Helper()
	c, err := pgx.Connect(ctxOf(t), with(t, raw, func(_ *url.URL, q url.Values) {
		q.Set("search_path", q.Get("schema"))
		q.Del("schema")
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	var value T
	if err := c.QueryRow(ctxOf(t), sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// execute runs statements with a connection of its own.
func execute(t testing.TB, raw, sql string) {
	t.Helper()
	c, err := pgx.Connect(ctxOf(t), with(t, raw, func(_ *url.URL, q url.Values) {
		if q.Has("schema") {
			q.Set("search_path", q.Get("schema"))
		}
		q.Del("schema")
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(ctxOf(t), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(45 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

var theQueue = outbox.Queue{Route: "orders", Destination: "kafka://kafka/orders"}

func entry(id any, hold bool) *outbox.Entry {
	return &outbox.Entry{Event: &keg.Event{ID: fmt.Sprint(id), Source: "//shop", Type: "order", Data: []byte(strings.Repeat("x", 100))},
		Owed: []*outbox.Owed{{Queue: theQueue, Hold: hold}}}
}
