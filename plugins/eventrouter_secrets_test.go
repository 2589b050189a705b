package plugins_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/plugins"
)

// withSecret is a config of a plugin whose destination, known by its name, has
// both its address and its password from secrets.
func withSecret(address, password string) string {
	return fmt.Sprintf(`{"__plugin_id":"plugin-1","secrets":{"TARGET":%q,"PASSWORD":%q},"routes":[{"name":"all","match":{},
		"destinations":[{"type":"memory","name":"there","address":"${TARGET}","password":"${PASSWORD}"}]}]}`, address, password)
}

func keepingKong(t *testing.T, folder string) *kong {
	t.Helper()
	store, err := embedded.Open(folder, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the hub's own clean-up
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return newKongOver(t, plugins.Options{}, hub.Options{Store: store})
}

func TestSecretsFillInRoutes(t *testing.T) {
	t.Setenv("TARGET", "of-the-environment")
	k := newKong(t, plugins.Options{})
	id, ok := k.start(t, withSecret("a", plantedHMAC))
	if !ok {
		t.Fatal(k.log)
	}
	if got := k.event(t, id, order("1")); got.status != 200 || !slices.Equal(k.sinks.passwords("a"), []string{plantedHMAC}) {
		t.Errorf("%d %s: %v", got.status, got.body, k.sinks.passwords("a"))
	}
}

// What is owed under the old secret is sent with the new one: Kong starts a new
// instance, whose table replaces the old one's.
func TestAChangedSecretReplacesTheTable(t *testing.T) {
	k := keepingKong(t, t.TempDir())
	tried, refuse := make(chan struct{}, 100), make(chan struct{})
	k.sinks.on("a", func(context.Context, *keg.Event) error {
		tried <- struct{}{}
		<-refuse
		return errors.New("wrong password")
	})
	before, _ := k.start(t, withSecret("a", plantedOld))
	if got := k.event(t, before, order("1")); got.status != 202 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	<-tried
	after, ok := k.start(t, withSecret("b", plantedHMAC))
	if !ok {
		t.Fatal(k.log)
	}
	k.close(t, before)
	close(refuse)
	if got := k.event(t, after, order("2")); got.status != 202 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	until(t, "both events are there", func() bool { return len(k.sinks.got("b")) == 2 })
	if got := k.sinks.passwords("b"); !slices.Equal(got, []string{plantedHMAC, plantedHMAC}) {
		t.Errorf("sent with %v", got)
	}
}

// A provider's second attempt at a delivery is the same event.
func TestAProvidersRetryIsNoSecondEvent(t *testing.T) {
	k := keepingKong(t, t.TempDir())
	id, ok := k.start(t, strings.Replace(verifying("github", plantedHMAC), `{`, `{"__plugin_id":"p","dedupe":3600,`, 1))
	if !ok {
		t.Fatal(k.log)
	}
	first := fromGitHub(plantedHMAC, `{"n":1}`)
	again := first.with("x-event-id", "another") // which nobody has signed
	again.id = "kong-2"
	other := first.with("x-github-delivery", "d-2")
	for _, r := range []request{first, again, other} {
		if got := k.event(t, id, r); got.status != 202 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	until(t, "both deliveries are there", func() bool { return len(k.sinks.got("a")) >= 2 })
	var ids []string
	for _, e := range k.sinks.got("a") {
		ids = append(ids, e.ID)
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"d-1", "d-2"}) {
		t.Errorf("%v", ids)
	}
}

// What is stored is events and the names of their destinations, and no setting.
func TestTheStoreHoldsNoSecret(t *testing.T) {
	folder := t.TempDir()
	k := keepingKong(t, folder)
	tried := make(chan struct{}, 100)
	k.sinks.on("a", func(context.Context, *keg.Event) error {
		tried <- struct{}{}
		return errors.New("away")
	})
	id, ok := k.start(t, strings.Replace(withSecret("a", plantedHMAC), `"routes"`,
		`"verify":{"scheme":"hmac","header":"x-sig","secrets":["`+plantedOld+`"]},"forward_headers":["x-other"],"routes"`, 1))
	if !ok {
		t.Fatal(k.log)
	}
	const marker = "marker of the data"
	r := structured("text/plain", marker).with("x-sig", hexMAC(plantedOld, marker))
	if got := k.event(t, id, r); got.status != 202 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	<-tried
	found := false
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // the store tidies up
			return nil
		}
		found = found || bytes.Contains(content, []byte(marker))
		for _, secret := range []string{plantedHMAC, plantedOld, r.headers["x-sig"][0]} {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds %s", filepath.Base(path), secret)
			}
		}
		return err
	})
	if err != nil || !found {
		t.Errorf("the event was not found either: %v", err)
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	for secrets, want := range map[string]string{
		`{"PASSWORD":""}`:                                          "config.secrets.PASSWORD is empty; a vault reference that Kong cannot resolve comes so",
		`{"PASSWORD":"{vault://aws/x}"}`:                           "config.secrets.PASSWORD is a vault reference that Kong has not resolved",
		`{"pass-word":"` + plantedHMAC + `"}`:                      `config.secrets: the name \"pass-word\" cannot stand in ${NAME}`,
		`{"PASSWORD":["` + plantedHMAC + `"]}`:                     "secrets.PASSWORD must be a string",
		`{"OTHER":"` + plantedHMAC + `"}`:                          "config.routes[0].destinations[0].password: PASSWORD is neither among the secrets",
		`{"PASSWORD":"x","A":"` + plantedHMAC + `"},"ack":"maybe"`: "config.ack",
	} {
		k := newKong(t, plugins.Options{})
		config := `{"secrets":` + secrets + `,"routes":[{"name":"r","match":{},"destinations":[{"type":"memory","address":"a","password":"${PASSWORD}"}]}]}`
		if _, ok := k.start(t, config); ok || !strings.Contains(k.log.String(), want) {
			t.Errorf("%s: started %v, %s", secrets, ok, k.log)
		}
		if strings.Contains(k.log.String(), plantedHMAC) {
			t.Errorf("%s: the log tells it: %s", secrets, k.log)
		}
	}
}
