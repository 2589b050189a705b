//go:build real

package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// newSchema is the URL of a schema of the test's own, which need not be there.
func newSchema(t *testing.T) string {
	t.Helper()
	name := "e2e_" + uuid.NewString()[:8]
	t.Cleanup(func() {
		if c, err := pgx.Connect(context.Background(), service(t, "KEG_TEST_POSTGRES")); err == nil {
			_, _ = c.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+name+" CASCADE")
			_ = c.Close(context.Background())
		}
	})
	return service(t, "KEG_TEST_POSTGRES") + "&schema=" + name
}

func execute(t *testing.T, database, statement string) {
	t.Helper()
	u, err := url.Parse(database)
	do(t, err)
	query := u.Query()
	schema := query.Get("schema")
	query.Del("schema")
	u.RawQuery = query.Encode()
	c, err := pgx.Connect(t.Context(), u.String())
	do(t, err)
	defer c.Close(context.Background())
	_, err = c.Exec(t.Context(), "SET search_path TO "+schema)
	do(t, err)
	_, err = c.Exec(t.Context(), statement)
	do(t, err)
}

// onDatabase are the variables of a node that keeps its events there.
func (n *servedNode) onDatabase(url string) *servedNode {
	n.env = append(n.env, "KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL="+url)
	return n
}

// TestANodeDeliversWhatADeadOneOfTheSameDatabaseHadTaken kills one of two nodes,
// which holds deliveries whose destination is away.
func TestANodeDeliversWhatADeadOneOfTheSameDatabaseHadTaken(t *testing.T) {
	to := newCollector(t) // and is not there yet
	database := newSchema(t)
	routes := httpRoute(to.address, "")
	one, two := prepareNode(t, routes).onDatabase(database).run(), prepareNode(t, routes).onDatabase(database).run()
	first := startSending(t, 8, 5*time.Millisecond, one.url())
	second := startSending(t, 2, 20*time.Millisecond, two.url())
	first.more(t, 500)
	second.more(t, 50)
	one.kill()
	killed := time.Now()
	first.stop()
	first.only(t, 0)
	to.on(t)
	arrive(t, first.ids(), to.all)
	t.Logf("all that the dead node had taken was delivered %v after its end", time.Since(killed).Round(100*time.Millisecond))
	second.more(t, 50)
	second.stop()
	second.only(t)
	two.drained()
	arrive(t, second.ids(), to.all)
	if r := two.readiness(); r.Store.DeadLetters != 0 {
		t.Errorf("%d dead letters", r.Store.DeadLetters)
	}
}

// TestPostgresStopsUnderLoad: senders hear 503 with Retry-After, or wait within
// their budget, and nothing that is safe is lost.
func TestPostgresStopsUnderLoad(t *testing.T) {
	to := newCollector(t).on(t)
	n := prepareNode(t, httpRoute(to.address, "")).onDatabase(newSchema(t)).run()
	load := startSending(t, 8, 10*time.Millisecond, n.url())
	load.more(t, 200)
	control(t, "stop", "postgres")
	within(t, longPatience, "senders hear 503", func() bool { return load.count(http.StatusServiceUnavailable) > 50 })
	if r := n.readiness(); r.Ready || r.Store.Status != "unavailable" {
		t.Errorf("while its database is away the node says %+v", r)
	}
	if said := load.said[http.StatusServiceUnavailable]; !strings.Contains(said, "events cannot be stored now: the database") {
		t.Errorf("503 says %s", said)
	}
	control(t, "start", "postgres")
	load.more(t, 200)
	control(t, "kill", "postgres")
	time.Sleep(time.Second)
	control(t, "start", "postgres")
	load.more(t, 200)
	load.stop()
	load.only(t, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
	n.drained()
	arrive(t, load.ids(), to.all)
	t.Logf("%d events are safe; refused by status: %v", len(load.ids()), load.refused)
	if !n.readiness().Ready {
		t.Error("it is not ready afterwards")
	}
	if status := n.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestADatabaseThatCannotBeUsedIsToldOfAtStart(t *testing.T) {
	good := newSchema(t)
	u, err := url.Parse(good)
	do(t, err)
	password, _ := u.User.Password()
	newer := newSchema(t)
	prepareNode(t, httpRoute("127.0.0.1:1", "")).onDatabase(newer).run().stop()
	execute(t, newer, "INSERT INTO migrations (version) VALUES (1000)")
	for name, test := range map[string]struct {
		url  string
		want []string
	}{
		"a wrong password":        {strings.Replace(good, password, "wr0ng", 1), []string{"refuses the user keg", "password"}},
		"no such database":        {strings.Replace(good, "/keg?", "/nosuch?", 1), []string{"nosuch", "does not exist", "CREATE DATABASE nosuch"}},
		"nobody at the address":   {strings.Replace(good, u.Host, "127.0.0.1:1", 1), []string{"cannot be reached", "127.0.0.1:1"}},
		"a schema of a newer KEG": {newer, []string{"later", "schema"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := prepareNode(t, httpRoute("127.0.0.1:1", "")).onDatabase(test.url)
			n.launch()
			wantStatus := exitUsage
			if strings.Contains(test.url, "127.0.0.1:1/") { // it may be there at the next start
				wantStatus = exitFailure
			}
			if status := n.wait(); status != wantStatus {
				t.Errorf("exit status %d, want %d", status, wantStatus)
			}
			said := n.said()
			for _, want := range test.want {
				if !strings.Contains(said, want) {
					t.Errorf("says nothing of %q:\n%s", want, said)
				}
			}
			if strings.Contains(said, password) || strings.Contains(said, "wr0ng") {
				t.Errorf("the password is in the output:\n%s", said)
			}
		})
	}
}
