package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAFirstLookWithPersistenceKeepsWhatItsWebhookMissed runs keg dev twice in
// one folder, at first without the receiver.
func TestAFirstLookWithPersistenceKeepsWhatItsWebhookMissed(t *testing.T) {
	dir, hook := t.TempDir(), newSwitchedServer(t).address
	routes := filepath.Join(dir, "routes.yaml")
	write(t, routes, httpRoute(hook, ""))
	env := []string{"KEG_PERSISTENCE_ENABLE=true", "KEG_STATUS_LISTEN=" + newSwitchedServer(t).address}
	p := startDevIn(t, dir, env, "--routes", routes, "--webhook-listen", "off")
	if said := p.said(); !strings.Contains(said, "what it accepted is kept in keg-data until") || strings.Contains(said, "nothing is kept") {
		t.Errorf("the welcome does not say where events are kept:\n%s", said)
	}
	status, answer, _ := post(t, "http://"+p.proxy+"/events", "application/json", orderEvent("missed"))
	if status != http.StatusAccepted || !strings.Contains(answer, `"id":"missed"`) {
		t.Errorf("%d %s", status, answer)
	}
	if line := p.until("event    missed"); !strings.Contains(line, "all  stored") {
		t.Errorf("the event's line: %s", line)
	}
	if info, err := os.Stat(filepath.Join(dir, "keg-data")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the store's folder: %v %v", info, err)
	}
	if status := p.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	p = startDevIn(t, dir, env, "--routes", routes, "--webhook-listen", hook)
	within(t, 20*time.Second, "the webhook prints the event", func() bool {
		return strings.Contains(p.said(), `POST /  order.created  {"event_type":"order.created","event_id":"missed"`)
	})
}
