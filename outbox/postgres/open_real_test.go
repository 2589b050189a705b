//go:build real

package postgres

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg/test/ports"
)

func TestEightNodesMayOpenANewSchemaAtOnce(t *testing.T) {
	raw := newSchema(t)
	var opening sync.WaitGroup
	stores := make([]*Store, 8)
	for i := range stores {
		opening.Go(func() {
			s, err := Open(ctxOf(t), raw, Options{})
			if err != nil {
				t.Errorf("node %d: %v", i, err)
				return
			}
			stores[i] = s
		})
	}
	opening.Wait()
	for _, s := range stores {
		if s != nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if n := query[int](t, raw, "SELECT count(*) FROM migrations"); n != len(migrations) {
		t.Errorf("%d migrations were applied, not %d", n, len(migrations))
	}
	if n := query[int](t, raw, "SELECT (SELECT count(*) FROM nodes) + (SELECT count(*) FROM writers)"); n != 0 {
		t.Errorf("closed stores left %d rows behind", n)
	}
}

// refused opens a store that cannot be, and returns why.
func refused(t *testing.T, raw string, o Options) string {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Open(ctxOf(t), raw, o)
	if err == nil {
		_ = s.Close()
		t.Fatal("opened")
	}
	t.Log(err)
	return err.Error()
}

func TestWhatCannotBeOpenedSaysWhyAndWhatToDo(t *testing.T) {
	good := setting(t, "KEG_TEST_POSTGRES")
	fresh := schemaOf(t, newSchema(t))
	execute(t, good, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'weak-secret'", fresh))
	execute(t, good, fmt.Sprintf("CREATE DATABASE %s_latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0", fresh))
	t.Cleanup(func() {
		execute(t, good, fmt.Sprintf("DROP DATABASE %[1]s_latin", fresh))
		execute(t, good, fmt.Sprintf("DROP ROLE %[1]s", fresh))
	})
	later, foreign := newSchema(t), newSchema(t)
	opened(t, later, Options{})
	execute(t, later, "INSERT INTO migrations VALUES (99)")
	execute(t, good, fmt.Sprintf("CREATE SCHEMA %[1]s; CREATE TABLE %[1]s.migrations (version int); INSERT INTO %[1]s.migrations VALUES (1)", schemaOf(t, foreign)))

	set := func(change func(*url.URL, url.Values)) string { return with(t, good, change) }
	for name, test := range map[string]struct {
		url  string
		want []string
	}{
		"wrong password": {set(func(u *url.URL, _ url.Values) { u.User = url.UserPassword("keg", "wrong-secret") }),
			[]string{"refuses the user keg", "check the user and the password"}},
		"no such database": {set(func(u *url.URL, _ url.Values) { u.Path = "/nothing" }), []string{"database nothing", "does not exist", "CREATE DATABASE nothing"}},
		"no rights": {set(func(u *url.URL, q url.Values) {
			u.User = url.UserPassword(fresh, "weak-secret")
			q.Set("schema", "elsewhere")
		}), []string{"no rights", "CREATE SCHEMA elsewhere AUTHORIZATION " + fresh}},
		"a later schema":     {later, []string{"is of version 99", "run the KEG that made it"}},
		"a foreign schema":   {foreign, []string{"not KEG's", "?schema="}},
		"a wrong encoding":   {set(func(u *url.URL, _ url.Values) { u.Path = "/" + fresh + "_latin" }), []string{"LATIN1", "UTF8"}},
		"a wrong schema":     {set(func(_ *url.URL, q url.Values) { q.Set("schema", "a b") }), []string{`schema "a b"`}},
		"lossy":              {set(func(_ *url.URL, q url.Values) { q.Set("synchronous_commit", "off") }), []string{"synchronous_commit=off"}},
		"an unknown setting": {set(func(_ *url.URL, q url.Values) { q.Set("no_such", "off") }), []string{"no_such"}},
		"no URL":             {"host=localhost password=some-secret", []string{"postgres://user:password@host:5432/database"}},
		"a broken URL":       {"postgres://keg:some-secret%@localhost/keg", []string{"postgres://user:password@host:5432/database"}},
		"a broken setting":   {"postgres://keg:some-secret@localhost/keg?sslmode=maybe", []string{"sslmode"}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			said := refused(t, test.url, Options{})
			for _, want := range test.want {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if strings.Contains(said, "secret") {
				t.Error("it tells a password")
			}
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("it took %v, though waiting does not help", took)
			}
		})
	}
	if n := query[int](t, later, "SELECT max(version) FROM migrations"); n != 99 {
		t.Errorf("the later schema was written over: version %d", n)
	}
	if n := query[int](t, foreign, "SELECT count(*) FROM pg_class WHERE relnamespace = $1::regnamespace", schemaOf(t, foreign)); n != 1 {
		t.Errorf("the foreign schema was written to: %d relations", n)
	}
}

func TestADatabaseThatIsAwayIsWaitedForABoundedTime(t *testing.T) {
	address, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	said := refused(t, with(t, setting(t, "KEG_TEST_POSTGRES"), func(u *url.URL, _ url.Values) { u.Host = address }), Options{Patience: time.Second})
	if !strings.Contains(said, "cannot be reached") || !strings.Contains(said, address) {
		t.Error("it does not say that nobody is at", address)
	}
	if took := time.Since(began); took < 500*time.Millisecond || took > 20*time.Second {
		t.Errorf("it waited %v", took)
	}
	p, through := newProxy(t, newSchema(t))
	p.arm("never", false)
	p.mutex.Lock()
	p.closed = true
	p.mutex.Unlock()
	time.AfterFunc(500*time.Millisecond, p.admit)
	opened(t, through, Options{})
}
