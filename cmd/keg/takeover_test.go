package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// While Kong reloads it runs two of `keg serve`, with the same flags.
func TestTwoOfKegServeDuringAReload(t *testing.T) {
	dir, err := os.MkdirTemp("", "keg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	serve := func(socket, source string) *process {
		return start(t, []string{"KEG_LOG_FORMAT=text", "KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=file://" + filepath.Join(dir, "store-"+socket)}, "serve", "--socket", filepath.Join(dir, socket), "--event-sources", "http:"+source)
	}
	older := serve("s", "127.0.0.1:0")
	_, source, _ := strings.Cut(older.until("source listens"), " address=")
	answers := func() {
		t.Helper()
		response, err := http.Post("http://"+source, "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusAccepted {
			t.Errorf("the source answers %s", response.Status)
		}
		http.DefaultClient.CloseIdleConnections()
	}

	newer := serve("s", source)
	newer.until("waiting for what the keg serve before this one still holds")
	answers()
	if status := older.stop(); status != 0 {
		t.Errorf("the older one ended with status %d", status)
	}
	newer.until("source listens")
	answers()

	mistaken := serve("s", source)
	mistaken.until("waiting for what the keg serve before this one still holds")
	if status := mistaken.stop(); status != 0 {
		t.Errorf("the mistaken one ended with status %d", status)
	}
	newer.until("taken again")
	answers()

	if other := serve("other", source); other.wait() == 0 || !strings.Contains(other.said(), "address already in use") {
		t.Errorf("one with a socket of its own says %s", other.said())
	}
}
