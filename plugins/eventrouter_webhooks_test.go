package plugins_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// received is what a webhook of the tests got.
type received struct {
	header http.Header
	body   string
}

// startReceiver answers 404 to paths that begin with /refuse and 200 to others.
func startReceiver(t *testing.T) (url string, _ <-chan received) {
	got := make(chan received, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/refuse") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header, string(body)}
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

const webhooksConfig = `
_format_version: "3.0"
services:
- name: shop
  url: http://127.0.0.1:1
  routes:
  - name: github
    paths: [/github]
    plugins:
    - name: event-router
      config:
        verify: {scheme: github, secrets: ["{vault://env/github-old}", "{vault://env/github-new}"]}
        attributes: [consumer, route, service, client_ip]
        routes: [{name: all, match: {}, destinations: [{type: http, address: %[1]q}]}]
  - name: events
    paths: [/events]
    plugins:
    - name: event-router
      config:
        handshake: {allowed_origins: [eventemitter.example.com], rate: 60}
        secrets: {TOKEN: "{vault://env/token}", PLACE: "{vault://env/place}"}
        routes:
        - {name: good, match: {type: good}, final: true, destinations: [{type: http, address: %[1]q, auth: {bearer: "${TOKEN}"}}]}
        - {name: bad, match: {type: bad}, destinations: [{type: http, address: "%[1]s/refuse/${PLACE}", auth: {bearer: "${TOKEN}"}}]}
  - name: broken
    paths: [/broken]
    plugins:
    - name: event-router
      config:
        secrets: {TOKEN: "{vault://env/token}"}
        verify: {scheme: standard-webhooks, secrets: ["{vault://env/github-new}"]}
        routes: [{name: r, match: {}, destinations: [{type: http, address: "${TOKEN}"}]}]
  - name: unresolved
    paths: [/unresolved]
    plugins:
    - {name: event-router, config: {verify: {scheme: github, secrets: ["{vault://env/not-there}"]}, routes: []}}
`

var planted = map[string]string{
	"GITHUB_OLD": plantedOld, "GITHUB_NEW": plantedHMAC, "TOKEN": "planted-t0ken", "PLACE": "planted-pl4ce",
}

// TestWebhooksThroughKong does what providers and senders do, and then looks
// for every secret in all that was said of it.
func TestWebhooksThroughKong(t *testing.T) {
	receiver, got := startReceiver(t)
	k := startBehindKong(t, fmt.Sprintf(webhooksConfig, receiver), planted)
	proxy := "http://" + k.proxy
	var told strings.Builder // every answer
	send := func(method, path, body string, headers ...string) (*http.Response, string) {
		t.Helper()
		resp, answer := do(t, method, proxy+path, body, headers...)
		_ = resp.Header.Write(&told)
		told.WriteString(answer)
		return resp, answer
	}

	long := `{"text":"` + strings.Repeat("x", 200_000) + `"}` // which Kong keeps in a file
	github := []string{"Content-Type", "application/json", "X-GitHub-Event", "push", "X-GitHub-Delivery", "d-1", "Ce-Kongroute", "forged"}
	for _, secret := range []string{plantedOld, plantedHMAC} {
		signature := "sha256=" + hexMAC(secret, long)
		if resp, answer := send("POST", "/github", long, append(github, "X-Hub-Signature-256", signature)...); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, answer)
		}
		r := <-got
		attributes := map[string]string{}
		for _, name := range []string{"Ce-Type", "Ce-Id", "Ce-Kongroute", "Ce-Kongservice", "Ce-Kongclientip", "Ce-Kongconsumer"} {
			attributes[name] = r.header.Get(name)
		}
		if diff := cmp.Diff(map[string]string{
			"Ce-Type": "com.github.push", "Ce-Id": "d-1", "Ce-Kongroute": "github", "Ce-Kongservice": "shop", "Ce-Kongclientip": "127.0.0.1", "Ce-Kongconsumer": "",
		}, attributes); diff != "" || r.body != long {
			t.Errorf("%d bytes: %s", len(r.body), diff)
		}
	}
	wrong := "sha256=" + hexMAC("guessed", long)
	for _, headers := range [][]string{github, append(github, "X-Hub-Signature-256", wrong)} {
		resp, answer := send("POST", "/github", long, headers...)
		if resp.StatusCode != 401 || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%d %v %s", resp.StatusCode, resp.Header, answer)
		}
	}
	for _, path := range []string{"/broken", "/unresolved"} {
		if resp, answer := send("POST", path, "{}"); resp.StatusCode != 500 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}

	resp, answer := send("OPTIONS", "/events", "", "WebHook-Request-Origin", "eventemitter.example.com", "WebHook-Request-Rate", "120")
	if resp.StatusCode != 200 || resp.Header.Get("WebHook-Allowed-Origin") != "eventemitter.example.com" || resp.Header.Get("WebHook-Allowed-Rate") != "60" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, answer)
	}
	if resp, _ := send("OPTIONS", "/events", "", "WebHook-Request-Origin", "evil.example"); resp.StatusCode != 403 || resp.Header.Get("WebHook-Allowed-Origin") != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}

	resp, answer = send("POST", "/events", inBatch("good", "bad", "", "other", "good"), "Content-Type", batch)
	var entries []struct {
		Status int
		ID     string
		Routes []string
		Error  string
	}
	if err := json.Unmarshal([]byte(answer), &entries); err != nil || resp.StatusCode != 207 || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, answer)
	}
	var statuses []string
	for _, e := range entries {
		statuses = append(statuses, fmt.Sprint(e.ID, " ", e.Status, " ", e.Routes, " ", e.Error != ""))
	}
	if diff := cmp.Diff([]string{"1 200 [good] false", "2 502 [] true", "3 400 [] true", "4 202 [] false", "5 200 [good] false"}, statuses); diff != "" {
		t.Errorf("%s: %s", diff, answer)
	}
	for range 2 {
		if r := <-got; r.header.Get("Authorization") != "Bearer planted-t0ken" {
			t.Errorf("the receiver was told %q", r.header.Get("Authorization"))
		}
	}

	for _, path := range []string{"/", "/plugins", "/routes", "/services", "/status", "/schemas/plugins/event-router", "/config"} {
		_, answer := do(t, "GET", "http://"+k.admin+path, "")
		told.WriteString(answer)
	}
	_, answer = do(t, "POST", "http://"+k.admin+"/config", `{"_format_version":"3.0","plugins":[{"name":"event-router","config":{"verify":{"scheme":"hmac","secrets":["{vault://env/token}"]}}}]}`,
		"Content-Type", "application/json")
	if told.WriteString(answer); !strings.Contains(answer, "verify") {
		t.Errorf("a config without its header was taken: %s", answer)
	}
	for name, text := range map[string]string{"an answer": told.String(), "the log": k.log.String(), "the dump": string(k.dumps)} {
		for _, secret := range []string{plantedOld, plantedHMAC, "planted-t0ken", "t0ken", "planted-pl4ce", wrong, wrong[len("sha256="):]} {
			if strings.Contains(text, secret) {
				t.Errorf("%s tells %s", name, secret)
			}
		}
	}
	if !strings.Contains(told.String(), "{vault://env/token}") { // or nothing was looked at
		t.Error("the Admin API shows no reference")
	}
	if len(k.log.Lines("github")) == 0 || len(k.log.Lines("secret 1 is empty")) == 0 {
		t.Errorf("the log says too little: %s", k.log)
	}
}
