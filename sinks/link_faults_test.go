package sinks

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// linked is a server at the far end of a link, with a sink that leads there, and
// how often each event's id has arrived.
type linked struct {
	sink    keg.Sink
	arrived func() map[string]int
}

var linkedTypes = map[string]func(t *testing.T, l *link) linked{
	"http": func(t *testing.T, l *link) linked {
		var mu sync.Mutex
		got := map[string]int{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return // the request was cut: it has not arrived, and nobody says yes to it
			}
			mu.Lock()
			defer mu.Unlock()
			got[r.Header.Get("Ce-Id")]++
		}))
		t.Cleanup(server.Close)
		l.leadTo(server.Listener.Addr().String())
		return linked{sinkTo(t, "http://"+l.address, nil), func() map[string]int {
			mu.Lock()
			defer mu.Unlock()
			return got
		}}
	},
	"kafka": func(t *testing.T, l *link) linked {
		far, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		near, err := net.ResolveTCPAddr("tcp", l.address)
		if err != nil {
			t.Fatal(err)
		}
		l.leadTo(far.Addr().String())
		startKafka(t, kfake.ListenFn(func(string, string) (net.Listener, error) { return &elsewhere{far, near}, nil }))
		return linked{openSink(t, newPool(t), kafkaDestination(kafkaSettings(l.address, "orders"))), func() map[string]int {
			records, err := readTopic(ctxOf(t, 20*time.Second), "orders", kgo.SeedBrokers(l.address))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, r := range records {
				a, err := arrival(r)
				if err != nil {
					t.Fatal(err)
				}
				got[a.Event.ID]++
			}
			return got
		}}
	},
	"mqtt": func(t *testing.T, l *link) linked {
		broker := startBroker(t, "", nil)
		l.leadTo(broker.addr())
		times := defaultMQTTTimes
		times.write = 500 * time.Millisecond // for which paho holds on to a message of a connection that is no more
		return linked{mqttSinkTo(t, l.address, times), func() map[string]int {
			got := map[string]int{}
			for _, p := range broker.messages() {
				e, err := cloudevents.FromMQTT(cloudevents.Message{Broker: "test", Topic: p.TopicName, Payload: p.Payload})
				if err != nil {
					t.Fatal(err)
				}
				got[e.ID]++
			}
			return got
		}}
	},
}

// linkFaults are what may become of a link. Whole tells that everything gets
// through nevertheless, within the time of an attempt.
var linkFaults = map[string]struct {
	toxics []string
	whole  bool
}{
	"slow":            {[]string{toxic("latency", "upstream", `"latency": 100, "jitter": 50`), toxic("latency", "downstream", `"latency": 100`)}, true},
	"narrow":          {[]string{toxic("bandwidth", "upstream", `"rate": 60`)}, true},
	"in small pieces": {[]string{toxic("slicer", "upstream", `"average_size": 200, "size_variation": 100`), toxic("slicer", "downstream", `"average_size": 2, "size_variation": 1`)}, true},
	"closes slowly":   {[]string{toxic("slow_close", "upstream", `"delay": 200`)}, true},

	"swallows what is sent":                 {[]string{toxic("timeout", "upstream", `"timeout": 0`)}, false},
	"swallows answers":                      {[]string{toxic("timeout", "downstream", `"timeout": 0`)}, false},
	"swallows what is sent, and hangs up":   {[]string{toxic("timeout", "upstream", `"timeout": 50`)}, false},
	"swallows answers, and hangs up":        {[]string{toxic("timeout", "downstream", `"timeout": 50`)}, false},
	"resets":                                {[]string{toxic("reset_peer", "upstream", `"timeout": 0`)}, false},
	"resets in place of an answer":          {[]string{toxic("reset_peer", "downstream", `"timeout": 20`)}, false},
	"is cut in the middle of what is sent":  {[]string{toxic("limit_data", "upstream", `"bytes": 700`)}, false},
	"is cut after some of what is sent":     {[]string{toxic("limit_data", "upstream", `"bytes": 9000`)}, false},
	"is cut in the middle of an answer":     {[]string{toxic("limit_data", "downstream", `"bytes": 3`)}, false},
	"is cut after some answers":             {[]string{toxic("limit_data", "downstream", `"bytes": 400`)}, false},
	"is slow, and cut in the middle of all": {[]string{toxic("latency", "upstream", `"latency": 50`), toxic("limit_data", "upstream", `"bytes": 1500`)}, false},
}

func toxic(kind, stream, attributes string) string {
	return fmt.Sprintf(`{"type": %q, "stream": %q, "attributes": {%s}}`, kind, stream, attributes)
}

// Whatever becomes of the link, each Send ends in its time, and never for good;
// what it says yes to has arrived; what it did not is tried again and arrives;
// nothing arrives that was not sent, and nothing more often than it was tried.
func TestFaultyLinksLoseNothing(t *testing.T) {
	for name, start := range linkedTypes {
		t.Run(name, func(t *testing.T) {
			for fault, f := range linkFaults {
				t.Run(fault, func(t *testing.T) {
					t.Parallel()
					l := newLink(t)
					to := start(t, l)
					if err := to.sink.Send(ctxOf(t, 20*time.Second), largeEvent("first")); err != nil {
						t.Fatalf("over a link that is whole: %v", err)
					}
					l.spoil(f.toxics...)

					const events = 16
					limit := 500 * time.Millisecond
					if f.whole {
						limit = 30 * time.Second
					}
					tried := map[string]int{"first": 1}
					again := sendAll(t, to.sink, events, limit, tried)
					t.Logf("%d of %d attempts failed", len(again), events)
					if f.whole && len(again) > 0 {
						t.Errorf("%d of %d events did not get through", len(again), events)
					}
					l.mend()
					deadline := time.Now().Add(time.Minute)
					for len(again) > 0 {
						if time.Now().After(deadline) {
							t.Fatalf("%d events did not get through a minute after the link was mended", len(again))
						}
						again = sendEach(t, to.sink, again, 10*time.Second, tried)
					}

					arrived := to.arrived()
					for id, n := range tried {
						// A client writes anew what it knows to have been dropped in the middle;
						// the broker or receiver may have had it all.
						if arrived[id] < 1 {
							t.Errorf("%s has not arrived, after %d attempts", id, n)
						}
						if f.whole && arrived[id] > 1 {
							t.Errorf("%s arrived %d times, though no connection was lost", id, arrived[id])
						}
					}
					for id := range arrived {
						if tried[id] == 0 {
							t.Errorf("%q arrived, and was never sent", id)
						}
					}
				})
			}
		})
	}
}

// largeEvent is larger than what the faults let through at once.
func largeEvent(id string) *keg.Event {
	e := testEvent(id)
	e.Data = []byte(strings.Repeat("data of "+id+" ", 200))
	return e
}

func sendAll(t *testing.T, sink keg.Sink, events int, limit time.Duration, tried map[string]int) (again []string) {
	ids := make([]string, events)
	for i := range ids {
		ids[i] = fmt.Sprintf("event-%d", i)
	}
	return sendEach(t, sink, ids, limit, tried)
}

// sendEach makes one attempt for each, a few at a time, and returns the ids of
// those that failed.
func sendEach(t *testing.T, sink keg.Sink, ids []string, limit time.Duration, tried map[string]int) (again []string) {
	t.Helper()
	var (
		mu      sync.Mutex
		senders sync.WaitGroup
		queue   = make(chan string, len(ids))
	)
	for _, id := range ids {
		tried[id]++
		queue <- id
	}
	close(queue)
	for range 8 {
		senders.Go(func() {
			for id := range queue {
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				began := time.Now()
				err := sink.Send(ctx, largeEvent(id))
				cancel()
				if took := time.Since(began); took > limit+10*time.Second {
					t.Errorf("Send took %v of %v", took, limit)
				}
				if err == nil {
					continue
				}
				if keg.IsPermanent(err) {
					t.Errorf("a faulty link is a permanent error: %v", err)
				}
				mu.Lock()
				again = append(again, id)
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	return again
}

func TestFaultyLinksLeaveNothingRunning(t *testing.T) {
	for name, start := range linkedTypes {
		t.Run(name, func(t *testing.T) {
			already := goleak.IgnoreCurrent()
			t.Run("faults", func(t *testing.T) {
				for _, fault := range []string{"swallows answers", "resets", "is cut in the middle of what is sent", "is cut in the middle of an answer"} {
					t.Run(fault, func(t *testing.T) {
						l := newLink(t)
						to := start(t, l)
						l.spoil(linkFaults[fault].toxics...)
						sendAll(t, to.sink, 8, 300*time.Millisecond, map[string]int{})
					})
				}
			})
			goleak.VerifyNone(t, append(unblamed(), already)...)
		})
	}
}
