package sinks

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/kong/keg"
	"github.com/kong/keg/sinks/sinktest"
	"github.com/kong/keg/test/ports"
)

func TestMQTTIsASink(t *testing.T) {
	for _, qos := range []int{1, 2} {
		t.Run(fmt.Sprintf("qos %d", qos), func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) *sinktest.Target { return mqttTarget(t, qos) })
		})
	}
}

func mqttTarget(t *testing.T, qos int) *sinktest.Target {
	broker := startBroker(t, sinktest.Secret, nil)
	pool := newPool(t)
	settings := func(topic string) func() keg.Settings {
		return func() keg.Settings {
			m := broker.settings()
			m.Topic, m.QoS = topic, qos
			return m
		}
	}
	return &sinktest.Target{
		Type:     "mqtt",
		Open:     pool.Open,
		Settings: settings("orders"),
		Wire:     broker.wire,
		Arrived:  broker.arrived,
		Formats:  []keg.Format{keg.FormatStructured, keg.FormatRaw},
		Refusals: []sinktest.Refusal{
			{Name: "no value for the topic", Settings: settings("orders/{absent}")},
			{
				Name: "a wildcard for the topic", Settings: settings("orders/{tenant}"),
				Event: func(e *keg.Event) { e.Extensions["tenant"] = "#" },
			},
		},
	}
}

func TestMQTTMessage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(d *keg.Destination, m *MQTT)
		want   string // topic, qos, retain, payload
	}{
		{"is the event as JSON", nil, `orders/order.created 1 false {"specversion":"1.0","id":"7","source":"/shop","type":"order.created","datacontenttype":"application/json","data":{"n":1}}`},
		{"is the data alone when raw", func(d *keg.Destination, _ *MQTT) { d.Format = keg.FormatRaw }, `orders/order.created 1 false {"n":1}`},
		{"retained", func(d *keg.Destination, m *MQTT) { d.Format, m.Retain = keg.FormatRaw, true }, `orders/order.created 1 true {"n":1}`},
		{"qos 0", func(d *keg.Destination, m *MQTT) { d.Format, m.QoS = keg.FormatRaw, 0 }, `orders/order.created 0 false {"n":1}`},
		{"qos 2", func(d *keg.Destination, m *MQTT) { d.Format, m.QoS = keg.FormatRaw, 2 }, `orders/order.created 2 false {"n":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broker := startBroker(t, "", nil)
			d := mqttDestination(broker.settings())
			if tt.change != nil {
				tt.change(d, d.Settings.(*MQTT))
			}
			sink := openSink(t, newPool(t), d)
			if err := sendOne(t, sink, webhook("7")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the message arrives", func() bool { return len(broker.messages()) == 1 })
			p := broker.messages()[0]
			if got := fmt.Sprint(p.TopicName, " ", p.FixedHeader.Qos, " ", p.FixedHeader.Retain, " ", string(p.Payload)); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// eventually waits for what happens on another goroutine.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestMQTTTransports(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // for its certificate
	defer certified.Close()
	ca := certificate(certified)
	secure := func(l net.Listener) net.Listener { return tls.NewListener(l, certified.TLS) }
	for _, tt := range []struct {
		name    string
		secure  bool
		change  func(m *MQTT)
		problem string // "": taken
	}{
		{"tcp", false, func(*MQTT) {}, ""},
		{"tls by its settings", true, func(m *MQTT) { m.TLS = &TLS{CA: ca} }, ""},
		{"ssl", true, func(m *MQTT) { m.Address, m.TLS = "ssl://"+m.Address, &TLS{CA: ca} }, ""},
		{"ssl that takes any certificate", true, func(m *MQTT) { m.TLS = &TLS{InsecureSkipVerify: true} }, ""},
		{"ssl with an unknown authority", true, func(m *MQTT) { m.Address = "ssl://" + m.Address }, "certificate"},
		{"ssl to another's certificate", true, func(m *MQTT) { m.TLS = &TLS{CA: ca, ServerName: "other.internal"} }, "other.internal"},
		{"tcp to a broker that speaks TLS", true, func(*MQTT) {}, "did not answer CONNECT"},
		{"ssl to a broker that does not", false, func(m *MQTT) { m.Address = "ssl://" + m.Address }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var wrap func(net.Listener) net.Listener
			if tt.secure {
				wrap = secure
			}
			broker := startBroker(t, "", wrap)
			m := broker.settings()
			tt.change(m)
			err := sendOne(t, openSink(t, newPool(t), mqttDestination(m)), webhook("1"))
			refused := tt.problem != "" || tt.name == "ssl to a broker that does not"
			if (err != nil) != refused || refused && (keg.IsPermanent(err) || !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("%v, want %q, transient", err, tt.problem)
			}
		})
	}
}

func TestMQTTOverWebSocket(t *testing.T) {
	broker := startBroker(t, "", nil)

	port := freePort(t)
	l := listeners.NewWebsocket(listeners.Config{ID: "ws", Address: port})
	if err := l.Init(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	go l.Serve(broker.server.EstablishConnection)
	t.Cleanup(func() { l.Close(func(string) {}) }) // not the server's: see dev.MQTTListener
	m := broker.settings()
	m.Address = "ws://" + port + "/mqtt"
	sink := openSink(t, newPool(t), mqttDestination(m))
	eventually(t, "a message by WebSocket", func() bool { return sendOne(t, sink, webhook("1")) == nil })
	if got := len(broker.messages()); got == 0 {
		t.Error("no message arrived")
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestMQTTCredentials(t *testing.T) {
	const secret = "hunter2hunter2"
	broker := startBroker(t, secret, nil)
	m := broker.settings()
	sink := openSink(t, newPool(t), mqttDestination(m))
	if err := sendOne(t, sink, webhook("1")); err != nil {
		t.Errorf("the right password: %v", err)
	}
	for _, password := range []string{"", "wrong-" + secret} {
		m := broker.settings()
		m.Password = keg.NewSecret(password)
		err := sendOne(t, openSink(t, newPool(t), mqttDestination(m)), webhook("1"))
		if err == nil || keg.IsPermanent(err) || !strings.Contains(err.Error(), "refused the connection") {
			t.Errorf("%v, want a transient error that says who refused", err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%v shows the password", err)
		}
	}
}

func TestMQTTClientID(t *testing.T) {
	broker := startBroker(t, "", nil)
	for _, id := range []string{"", "", "my-gateway"} {
		m := broker.settings()
		m.ClientID = id
		if err := sendOne(t, openSink(t, newPool(t), mqttDestination(m)), webhook("1")); err != nil {
			t.Fatal(err)
		}
	}
	got := broker.connections()
	if len(got) != 3 || !strings.HasPrefix(got[0], "keg-") || len(got[0]) > 23 || got[0] == got[1] || got[2] != "my-gateway" {
		t.Errorf("client ids %q, want two random ones of at most 23 characters (MQTT 3.1.1, section 3.1.3.1) and my-gateway", got)
	}
}

func TestMQTTHasNoHeaders(t *testing.T) {
	d := mqttDestination(&MQTT{Address: "localhost", Topic: "a"})
	d.Headers = map[string]keg.Secret{"X-A": keg.NewSecret("1")}
	_, err := newPool(t).Open(d)
	var field *keg.FieldError
	if !errors.As(err, &field) || field.Path != "headers" {
		t.Errorf("%v, want headers refused", err)
	}
}

func TestMQTTConnectionsAreShared(t *testing.T) {
	broker := startBroker(t, "", nil)
	pool := newPool(t)
	for _, tt := range []struct {
		name   string
		change func(m *MQTT)
		want   int
	}{
		{"the first", func(*MQTT) {}, 1},
		{"another topic, qos and retain", func(m *MQTT) { m.Topic, m.QoS, m.Retain = "x", 2, true }, 1},
		{"the same address, said otherwise", func(m *MQTT) { m.Address = "mqtt://" + m.Address }, 1},
		{"a user", func(m *MQTT) { m.Username = "u" }, 2},
		{"another password", func(m *MQTT) { m.Username, m.Password = "u", keg.NewSecret("p") }, 3},
		{"a client_id", func(m *MQTT) { m.ClientID = "mine" }, 4},
	} {
		m := broker.settings()
		tt.change(m)
		if err := sendOne(t, openSink(t, pool, mqttDestination(m)), webhook("1")); err != nil {
			t.Fatal(err)
		}
		if got := pool.Clients(); got != tt.want || len(broker.connections()) != tt.want {
			t.Errorf("%s: %d clients and %d connections, want %d", tt.name, got, len(broker.connections()), tt.want)
		}
	}
}

func BenchmarkMQTTSend(b *testing.B) {
	for _, qos := range []int{0, 1, 2} {
		b.Run(fmt.Sprintf("qos=%d", qos), func(b *testing.B) {
			broker := startBroker(b, "", nil)
			m := broker.settings()
			m.QoS = qos
			sink := openSink(b, newPool(b), mqttDestination(m))
			e := webhook("1")
			e.DataContentType, e.Data = "text/plain", []byte(strings.Repeat("x", 1024))
			b.SetParallelism(64)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := sendOne(b, sink, e); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
