package cloudevents

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A provider's id comes before every other, its type after what the request
// says. A CloudEvent keeps its own.
func TestWhatAProviderCallsAnEvent(t *testing.T) {
	for name, test := range map[string]struct {
		request  *Request
		id, kind string
	}{
		"a request that says nothing": {post("x"), "d-1", "com.github.push"},
		"headers":                     {post("x", "x-event-id", "7", "x-event-type", "t", "idempotency-key", "k"), "d-1", "t"},
		"members of the body":         {post(`{"event_id":"7","event_type":"t"}`, "content-type", "application/json"), "d-1", "t"},
		"a binary CloudEvent":         {post("x", ce()...), "1", "t"},
		"a structured one": {post(`{"specversion":"1.0","id":"1","type":"t","source":"/s"}`,
			"content-type", "application/cloudevents+json"), "1", "t"},
	} {
		test.request.DeliveryID, test.request.DeliveryType = "d-1", "com.github.push"
		e := one(t, test.request, Options{Type: "configured"})
		if e.ID != test.id || e.Type != test.kind {
			t.Errorf("%s: %s, %s", name, e.ID, e.Type)
		}
	}
}

// What an entry knows cannot be claimed, in any content mode.
func TestWhatAnEntryKnowsCannotBeClaimed(t *testing.T) {
	claimed := `{"specversion":"1.0","id":"1","type":"t","source":"/s","kongconsumer":"admin","kongroute":"forged","other":"stays"}`
	for name, r := range map[string]*Request{
		"plain":      post("x", "ce-kongconsumer", "admin"),
		"binary":     post("x", ce("ce-kongconsumer", "admin", "ce-kongroute", "forged", "ce-other", "stays")...),
		"structured": post(claimed, "content-type", "application/cloudevents+json"),
		"batch":      post("["+claimed+","+claimed+"]", "content-type", "application/cloudevents-batch+json"),
	} {
		r.Attributes = map[string]string{"kongconsumer": "alice", "kongroute": ""}
		batch, err := FromRequest(r, Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"kongconsumer": "alice", "other": "stays"}
		if name == "plain" {
			delete(want, "other")
		}
		for _, entry := range batch.Entries {
			if diff := cmp.Diff(want, entry.Event.Extensions); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}
