package plugins_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestKafkaThroughKong posts to the stand-in for Kong with both plugins, and
// finds what Kong Enterprise's would have written.
func TestKafkaThroughKong(t *testing.T) {
	kafka, records := startKafka(t, "requests")
	_, port, _ := net.SplitHostPort(kafka)
	proxy := startGateway(t, fmt.Sprintf(`
_format_version: "3.0"
routes:
- name: sync
  paths: [/sync]
  plugins:
  - name: kafka-upstream
    config:
      bootstrap_servers: [{host: 127.0.0.1, port: %[1]s}]
      topic: requests
      key_query_arg: key
      producer_async: false
      producer_request_acks: -1
      forward_method: true
      forward_uri: true
      headers: {include_headers: [X-Tenant, Host, Content-Type], name_mappings: {x-tenant: Tenant}}
- name: async
  paths: [/async]
  plugins:
  - {name: kafka-upstream, config: {bootstrap_servers: [{host: 127.0.0.1, port: %[1]s}], topic: requests}}
- name: logged
  paths: [/logged]
  plugins:
  - {name: kafka-log, config: {bootstrap_servers: [{host: 127.0.0.1, port: %[1]s}], topic: requests, key_query_arg: key}}
  - {name: request-termination, config: {status_code: 204}}
- name: away
  paths: [/away]
  plugins:
  - name: kafka-upstream
    config:
      bootstrap_servers: [{host: 127.0.0.1, port: 1}]
      topic: requests
      producer_async: false
      producer_request_retries_max_attempts: 2
      error_handling: {return_error_message: true}
`, port))
	post := func(path string) (status int, contentType, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+proxy+path, strings.NewReader(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "shop"
		r.Header = http.Header{"Content-Type": {"application/json"}, "X-Tenant": {"blue", "red"}, "Authorization": {"Bearer s3cret"}}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(answer)
	}

	status, contentType, body := post("/sync/a%20b?key=k-1&flag&x=1&x=2")
	if status != 200 || body != `{"message":"message sent"}` || contentType != "application/json; charset=utf-8" {
		t.Fatalf("%d %s %s", status, contentType, body)
	}
	record := records.next(t)
	if want := `{"method":"POST","uri":"/sync/a%20b?key=k-1&flag&x=1&x=2","uri_args":{"key":"k-1","flag":true,"x":["1","2"]},"body":"{\"n\":1}","body_args":{"n":1}}`; string(record.Value) != want {
		t.Errorf("the record is %s\nwant %s", record.Value, want)
	}
	if string(record.Key) != "k-1" {
		t.Errorf("its key is %q", record.Key)
	}
	want := []kgo.RecordHeader{
		{Key: "Tenant", Value: []byte("blue")}, {Key: "Tenant", Value: []byte("red")},
		{Key: "content-type", Value: []byte("application/json")}, {Key: "host", Value: []byte("shop")},
	}
	if diff := cmp.Diff(want, record.Headers); diff != "" {
		t.Errorf("its headers: %s", diff)
	}

	if status, _, body := post("/async"); status != 200 || body != `{"message":"message sent"}` {
		t.Fatalf("%d %s", status, body)
	}
	if record := records.next(t); string(record.Value) != `{"body":"{\"n\":1}","body_args":{"n":1}}` || record.Key != nil || len(record.Headers) != 0 {
		t.Errorf("%s has key %q and headers %v", record.Value, record.Key, record.Headers)
	}

	if status, _, _ := post("/logged?key=k-2"); status != 204 {
		t.Fatalf("%d", status)
	}
	record = records.next(t)
	var entry struct {
		Request  struct{ Method, URI string }
		Response struct{ Status int }
	}
	if err := json.Unmarshal(record.Value, &entry); err != nil || entry.Request.Method != "POST" || entry.Response.Status != 204 || string(record.Key) != "k-2" || len(record.Headers) != 0 {
		t.Errorf("%s, key %q, headers %v, %v", record.Value, record.Key, record.Headers, err)
	}

	if status, _, body := post("/away"); status != 502 || !strings.Contains(body, `"message":"Bad Gateway","error":"could not send message to topic: `) || !strings.Contains(body, "refused") {
		t.Errorf("%d %s", status, body)
	}
}
