package plugins_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/plugins"
)

func TestAnEntryIsARecord(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id := k.kafka(t, "kafka-log", `"key_query_arg":"key"`)
	const entry = `{"request":{"id":"r-1","uri":"/a?key=k%20v"},"response":{"status":200}}`
	if diff := cmp.Diff([]string{"kong.log.serialize"}, k.logs(t, id, entry)); diff != "" {
		t.Errorf("asked %s", diff)
	}
	until(t, "the record", func() bool { return len(k.sinks.got("kafka")) == 1 })
	e := k.sinks.got("kafka")[0]
	if string(e.Data) != entry || e.ID != "r-1" || e.Extensions["kafkakey"] != "k v" || len(e.Headers) != 0 {
		t.Errorf("%+v, %s", e, e.Data)
	}
	// What other plugins have made of the entry is nobody's business.
	k.logs(t, id, `"gone"`)
	until(t, "the record", func() bool { return len(k.sinks.got("kafka")) == 2 })
	if e := k.sinks.got("kafka")[1]; string(e.Data) != `"gone"` || e.ID == "" {
		t.Errorf("%+v", e)
	}
}

// TestLogPhasesWaitForNothing: a broker that takes nothing piles up neither in
// Kong nor here.
func TestLogPhasesWaitForNothing(t *testing.T) {
	k := newKong(t, plugins.Options{})
	release := make(chan struct{})
	k.sinks.on("kafka", func(context.Context, *keg.Event) error { <-release; return nil })
	id := k.kafka(t, "kafka-log", `"producer_async_buffering_limits_messages_in_memory":100,"producer_async":false`)
	for range 150 {
		k.logs(t, id, `{"request":{"id":"r","uri":"/"}}`) // would not return if it waited
	}
	if s := k.room.Stats(); s.Entries != 100 || s.Dropped != 50 {
		t.Errorf("%+v", s)
	}
	if lines := k.log.Lines("a record was lost"); len(lines) < 10 || !strings.Contains(lines[0], "too many records wait") || !strings.Contains(lines[0], "kafka-log") {
		t.Errorf("%q", lines)
	}
	close(release)
	until(t, "the records", func() bool { return len(k.sinks.got("kafka")) == 100 })
}

func TestAnEntryThatIsTooLargeIsCounted(t *testing.T) {
	k := newKong(t, plugins.Options{})
	id := k.kafka(t, "kafka-log", `"producer_request_limits_bytes_per_request":1024`)
	k.logs(t, id, `{"x":"`+strings.Repeat("x", 1024)+`"}`)
	if s := k.room.Stats(); s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
}
