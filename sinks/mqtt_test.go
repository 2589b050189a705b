package sinks

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

func TestMQTTValidate(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, tt := range []struct {
		name    string
		change  func(m *MQTT)
		path    string // "": accepted
		problem string
	}{
		{"host and port", func(*MQTT) {}, "", ""},
		{"a host alone", func(m *MQTT) { m.Address = "mosquitto" }, "", ""},
		{"IPv6", func(m *MQTT) { m.Address = "[::1]:1883" }, "", ""},
		{"tcp", func(m *MQTT) { m.Address = "tcp://mosquitto:1883" }, "", ""},
		{"mqtt", func(m *MQTT) { m.Address = "mqtt://mosquitto" }, "", ""},
		{"ssl", func(m *MQTT) { m.Address = "ssl://mosquitto:8883" }, "", ""},
		{"ssl with tls settings", func(m *MQTT) { m.Address, m.TLS = "mqtts://mosquitto", &TLS{} }, "", ""},
		{"no scheme with tls settings", func(m *MQTT) { m.TLS = &TLS{} }, "", ""},
		{"a WebSocket with a path", func(m *MQTT) { m.Address = "wss://mosquitto/mqtt" }, "", ""},
		{"a template", func(m *MQTT) { m.Topic = "events/{type}/{tenant}" }, "", ""},
		{"a topic of the broker's own, by configuration", func(m *MQTT) { m.Topic = "$aws/rules/x" }, "", ""},
		{"qos 0", func(m *MQTT) { m.QoS = 0 }, "", ""},
		{"qos 2", func(m *MQTT) { m.QoS = 2 }, "", ""},
		{"credentials", func(m *MQTT) { m.Username, m.Password = "u", keg.NewSecret(secret) }, "", ""},
		{"a user name alone", func(m *MQTT) { m.Username = "u" }, "", ""},

		{"no address", func(m *MQTT) { m.Address = "" }, "address", "is required"},
		{"no host", func(m *MQTT) { m.Address = "tcp://:1883" }, "address", "has no host"},
		{"another scheme", func(m *MQTT) { m.Address = "http://mosquitto" }, "address", "must begin with tcp"},
		{"two brokers", func(m *MQTT) { m.Address = "a:1883,b:1883" }, "address", "one broker"},
		{"port 0", func(m *MQTT) { m.Address = "mosquitto:0" }, "address", "between 1 and 65535"},
		{"port 65536", func(m *MQTT) { m.Address = "mosquitto:65536" }, "address", "between 1 and 65535"},
		{"credentials in the address", func(m *MQTT) { m.Address = "tcp://u:" + secret + "@mosquitto" }, "address", "use username and password"},
		{"a topic in the address", func(m *MQTT) { m.Address = "tcp://mosquitto/orders" }, "address", "the topic goes into topic"},
		{"a query", func(m *MQTT) { m.Address = "ws://mosquitto/mqtt?token=" + secret }, "address", "no query"},
		{"a line end", func(m *MQTT) { m.Address = "mosquitto\r\n" + secret }, "address", "is no broker's address"},
		{"tls on tcp", func(m *MQTT) { m.Address, m.TLS = "tcp://mosquitto", &TLS{} }, "tls", "needs an ssl://"},
		{"tls on ws", func(m *MQTT) { m.Address, m.TLS = "ws://mosquitto", &TLS{} }, "tls", "needs an ssl://"},
		{"half a client certificate", func(m *MQTT) { m.TLS = &TLS{Cert: "x"} }, "tls.key", "is required beside cert"},
		{"no topic", func(m *MQTT) { m.Topic = "" }, "topic", "is required"},
		{"a filter, #", func(m *MQTT) { m.Topic = "orders/#" }, "topic", "only filters have"},
		{"a filter, +", func(m *MQTT) { m.Topic = "orders/+/x" }, "topic", "only filters have"},
		{"NUL in the topic", func(m *MQTT) { m.Topic = "a\x00b" }, "topic", "control characters"},
		{"a topic that is not UTF-8", func(m *MQTT) { m.Topic = "a\xff" }, "topic", "is not UTF-8"},
		{"a topic too long", func(m *MQTT) { m.Topic = strings.Repeat("a", 65536) }, "topic", "longer than"},
		{"half a place", func(m *MQTT) { m.Topic = "orders/{type" }, "topic", "{attribute}"},
		{"a place of no attribute", func(m *MQTT) { m.Topic = "orders/{Data.X}" }, "topic", "names no attribute"},
		{"qos 3", func(m *MQTT) { m.QoS = 3 }, "qos", "must be 0, 1 or 2"},
		{"qos -1", func(m *MQTT) { m.QoS = -1 }, "qos", "must be 0, 1 or 2"},
		{"a client_id with NUL", func(m *MQTT) { m.ClientID = "a\x00" }, "client_id", "control characters"},
		{"a password with NUL", func(m *MQTT) { m.Username, m.Password = "u", keg.NewSecret(secret+"\x00") }, "password", "control characters"},
		{"a password too long", func(m *MQTT) { m.Username, m.Password = "u", keg.NewSecret(strings.Repeat(secret, 5000)) }, "password", "65,535"},
		{"a password without user", func(m *MQTT) { m.Password = keg.NewSecret(secret) }, "username", "is required beside password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &MQTT{Address: "mosquitto:1883", Topic: "orders", QoS: 1}
			tt.change(m)
			err := m.Validate()
			got := fieldProblems(t, err)
			if tt.path == "" || err == nil {
				if err != nil || tt.path != "" {
					t.Errorf("%v, want %s: %s", err, tt.path, tt.problem)
				}
				return
			}
			if problem, ok := got[tt.path]; len(got) != 1 || !ok || !strings.Contains(problem, tt.problem) {
				t.Errorf("%v, want %s: %s", err, tt.path, tt.problem)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v shows the secret", err)
			}
		})
	}
}

func TestMQTTLabel(t *testing.T) {
	for _, tt := range []struct {
		settings MQTT
		want     string
	}{
		{MQTT{Address: "host:1883", Topic: "orders"}, "mqtt://host:1883/orders"},
		{MQTT{Address: "Host", Topic: "orders/{type}"}, "mqtt://host:1883/orders/{type}"},
		{MQTT{Address: "tcp://host", Topic: "/a"}, "mqtt://host:1883//a"},
		{MQTT{Address: "host", TLS: &TLS{}, Topic: "a"}, "mqtts://host:8883/a"},
		{MQTT{Address: "ssl://host", Topic: "a"}, "mqtts://host:8883/a"},
		{MQTT{Address: "ws://host/mqtt", Topic: "a"}, "ws://host:80/mqtt/a"},
		{MQTT{Address: "wss://host/", Topic: "a"}, "wss://host:443/a"},
		{MQTT{Address: "[::1]", Topic: "a", Username: "u", Password: keg.NewSecret("x")}, "mqtt://[::1]:1883/a"},
		{MQTT{Address: "tcp://u:s3cret@host", Topic: "a"}, "mqtt:"},
	} {
		if got := tt.settings.Label(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.settings.Address, got, tt.want)
		}
	}
}

func TestMQTTAcknowledgesFromQoS1On(t *testing.T) {
	for qos, want := range map[int]bool{0: false, 1: true, 2: true} {
		if got := (&MQTT{QoS: qos}).Acknowledges(); got != want {
			t.Errorf("qos %d: %v", qos, got)
		}
	}
}

func TestTheTopicOfAnEvent(t *testing.T) {
	for _, tt := range []struct {
		name, template string
		value          string // of the extension tenant
		want           string // "": refused for good
		problem        string
	}{
		{"a constant", "orders/new", "x", "orders/new", ""},
		{"a value", "orders/{tenant}", "blue", "orders/blue", ""},
		{"a value with blanks and beyond ASCII", "orders/{tenant}", "ä b", "orders/ä b", ""},
		{"levels where the event has the whole topic", "{tenant}", "a/b/c", "a/b/c", ""},
		{"a $ within", "orders/{tenant}", "$x", "orders/$x", ""},
		{"the broker's own topic by configuration", "$aws/{tenant}", "x", "$aws/x", ""},

		{"an absent attribute", "orders/{tenant}", "", "", `no attribute "tenant"`},
		{"another level", "orders/{tenant}", "a/b", "", "has a /"},
		{"another level at the end", "{tenant}/orders", "a/", "", "has a /"},
		{"+", "orders/{tenant}", "+", "", "has + or #"},
		{"+ within", "orders/{tenant}", "a+b", "", "has + or #"},
		{"#", "orders/{tenant}", "#", "", "has + or #"},
		{"# where the event has the whole topic", "{tenant}", "a/#", "", "has + or #"},
		{"NUL", "orders/{tenant}", "a\x00b", "", "control characters"},
		{"a line end", "orders/{tenant}", "a\nb", "", "control characters"},
		{"what is not UTF-8", "orders/{tenant}", "\xff", "", "is not UTF-8"},
		{"$ at the beginning", "{tenant}/x", "$SYS", "", "begins with $"},
		{"$ at the beginning of the whole topic", "{tenant}", "$SYS/x", "", "begins with $"},
		{"too long", "orders/{tenant}", strings.Repeat("a", 65535), "", "65535 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			topic, err := parseTopic(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			e := webhook("1")
			e.Extensions = map[string]string{"tenant": tt.value}
			got, err := topic.of(e)
			if tt.problem == "" {
				if err != nil || got != tt.want {
					t.Errorf("%q, %v, want %q", got, err, tt.want)
				}
				return
			}
			if !keg.IsPermanent(err) || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%q, %v, want a permanent error with %q", got, err, tt.problem)
			}
			if strings.ContainsAny(err.Error(), "\x00\n") || !utf8.ValidString(err.Error()) {
				t.Errorf("%q shows the value", err)
			}
		})
	}
}

// Whatever an event brings, what comes out is a topic, below the template's
// own levels.
func FuzzTheTopicOfAnEvent(f *testing.F) {
	for _, value := range []string{"a", "+", "#", "/", "$SYS", "\x00", "\xff", "ü", ""} {
		f.Add(value)
	}
	below, err := parseTopic("orders/{tenant}/x")
	if err != nil {
		f.Fatal(err)
	}
	whole, err := parseTopic("{tenant}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		e := webhook("1")
		e.Extensions = map[string]string{"tenant": value}
		for _, topic := range []mqttTopic{below, whole} {
			got, err := topic.of(e)
			if err != nil {
				if !keg.IsPermanent(err) {
					t.Errorf("%v is not permanent", err)
				}
				continue
			}
			if got == "" || len(got) > maxTopic || strings.ContainsAny(got, "+#\x00\r\n") || got[0] == '$' || clients.MQTTTextProblem(got) != "" {
				t.Errorf("%q is no topic", got)
			}
			if !topic.whole && (strings.Count(got, "/") != 2 || !strings.HasPrefix(got, "orders/") || !strings.HasSuffix(got, "/x")) {
				t.Errorf("%q is not the template's place", got)
			}
		}
	})
}
