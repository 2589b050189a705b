package keg_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

func whole() *keg.Event {
	return &keg.Event{
		ID: "1", Source: "/shop", Type: "order.created", Subject: "7",
		Time:            time.Date(2026, 11, 23, 20, 0, 0, 5000, time.UTC),
		DataContentType: "application/json", DataSchema: "https://shop.example/order",
		Extensions: map[string]string{"partitionkey": "k", "empty": ""},
		Data:       []byte(`{}`),
		Headers:    keg.Headers{"x-tenant": {"a", "b"}},
	}
}

func TestAttribute(t *testing.T) {
	e := whole()
	for name, want := range map[string]string{
		"id": "1", "source": "/shop", "type": "order.created", "subject": "7",
		"time": "2026-11-23T20:00:00.000005Z", "specversion": "1.0",
		"datacontenttype": "application/json", "dataschema": "https://shop.example/order",
		"partitionkey": "k", "empty": "",
	} {
		if got, ok := e.Attribute(name); !ok || got != want {
			t.Errorf("%s is %q, %t; want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"data", "other", "ID", ""} {
		if got, ok := e.Attribute(name); ok {
			t.Errorf("%s is %q, and should not be there", name, got)
		}
	}
	for _, name := range []string{"id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "partitionkey"} {
		if got, ok := new(keg.Event).Attribute(name); ok {
			t.Errorf("an empty event has %s %q", name, got)
		}
	}
}

func TestAttributeDoesNotAllocate(t *testing.T) {
	e := whole()
	allocations := testing.AllocsPerRun(100, func() {
		for _, name := range []string{"id", "type", "subject", "partitionkey", "other"} {
			e.Attribute(name)
		}
	})
	if allocations != 0 {
		t.Errorf("%.0f allocations", allocations)
	}
}

func TestJSONData(t *testing.T) {
	for contentType, want := range map[string]bool{
		"": true, "application/json": true, "APPLICATION/JSON": true, "text/json; charset=utf-8": true,
		"application/vnd.shop+json": true, "application/cloudevents+json": true, " application/json ": true,
		"text/plain": false, "application/jsonl": false, "application/xml": false, "json": false, "application/+json": false,
	} {
		if got := (&keg.Event{DataContentType: contentType}).JSONData(); got != want {
			t.Errorf("%q: %t", contentType, got)
		}
	}
}

func TestAClonesMapsAreItsOwn(t *testing.T) {
	e, c := whole(), whole().Clone()
	if diff := cmp.Diff(e, c); diff != "" {
		t.Error(diff)
	}
	c = e.Clone()
	c.Extensions["partitionkey"] = "changed"
	c.Headers.Add("X-Tenant", "c")
	if diff := cmp.Diff(whole(), e); diff != "" {
		t.Errorf("changing a clone changed the event: %s", diff)
	}
}

func TestWeightCountsAllThatAStrangerChooses(t *testing.T) {
	small := (&keg.Event{}).Weight()
	big := (&keg.Event{
		ID: "12345", Data: make([]byte, 1000),
		Extensions: map[string]string{"ab": "cd"}, Headers: keg.Headers{"x": {"12", "34"}},
	}).Weight()
	if big-small != 5+1000+4+5 {
		t.Errorf("%d", big-small)
	}
}

func TestWhatAnOrderedRouteOrdersBy(t *testing.T) {
	for want, e := range map[string]keg.Event{
		"key":     {Source: "shop", Subject: "order 7", Extensions: map[string]string{"partitionkey": "key"}},
		"order 7": {Source: "shop", Subject: "order 7", Extensions: map[string]string{"partitionkey": ""}},
		"shop":    {Source: "shop"},
	} {
		if got := e.OrderKey(); got != want {
			t.Errorf("%+v: %q", e, got)
		}
	}
}
