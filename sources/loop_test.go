package sources

import (
	"strings"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/sinks"
)

func TestASourceThatReadsWhatADestinationWritesIsFound(t *testing.T) {
	kafka := func(address, topic string) *keg.Destination {
		return &keg.Destination{Type: "kafka", Name: "d", Settings: &sinks.Kafka{Address: strings.Split(address, ","), Topic: topic}}
	}
	mqtt := func(address, topic string) *keg.Destination {
		return &keg.Destination{Type: "mqtt", Name: "d", Settings: &sinks.MQTT{Address: address, Topic: topic}}
	}
	const none, may, is = "", "may also be", "is also"
	for name, test := range map[string]struct {
		source string
		to     *keg.Destination
		want   string
	}{
		"the same topic":                    {"kafka://b:9092?topics=a", kafka("b:9092", "a"), is},
		"one of several topics and brokers": {"kafka://b:9092?topics=x|a", kafka("c:9092,B:9092", "a"), is},
		"localhost by another name":         {"kafka://localhost:9092?topics=a", kafka("127.0.0.1:9092", "a"), is},
		"another topic":                     {"kafka://b:9092?topics=a", kafka("b:9092", "b"), none},
		"another broker":                    {"kafka://b:9092?topics=a", kafka("c:9092", "a"), none},
		"another port":                      {"kafka://b:9092?topics=a", kafka("b:9093", "a"), none},
		"another protocol":                  {"kafka://b:9092?topics=a", mqtt("b:9092", "a"), none},
		"a template that fits":              {"kafka://b:9092?topics=orders.eu", kafka("b:9092", "orders.{region}"), may},
		"a template that does not":          {"kafka://b:9092?topics=bills.eu", kafka("b:9092", "orders.{region}"), none},
		"a template of the event alone":     {"kafka://b:9092?topics=bills.eu", kafka("b:9092", "{type}"), may},
		"a destination without topics":      {"kafka://b:9092", &keg.Destination{Type: "http", Settings: &sinks.HTTP{}}, none},
		"a listener":                        {"http:8080", kafka("b:9092", "a"), none},

		"a filter":                   {"mqtt://b:1883?topics=a/%23", mqtt("b:1883", "a/b/c"), is},
		"the parent level":           {"mqtt://b:1883?topics=a/%23", mqtt("b:1883", "a"), is},
		"a level":                    {"mqtt://b:1883?topics=a/%2B/c", mqtt("tcp://b", "a/b/c"), is},
		"another level":              {"mqtt://b:1883?topics=a/%2B/c", mqtt("b:1883", "a/b/d"), none},
		"more levels":                {"mqtt://b:1883?topics=a/%2B", mqtt("b:1883", "a/b/c"), none},
		"fewer levels":               {"mqtt://b:1883?topics=a/%2B/c", mqtt("b:1883", "a/b"), none},
		"an MQTT template that fits": {"mqtt://b:1883?topics=a/x-1/c", mqtt("b:1883", "a/x-{type}/c"), may},
		"one that does not":          {"mqtt://b:1883?topics=a/y/c", mqtt("b:1883", "a/x-{type}/c"), none},
		"a whole topic of the event": {"mqtt://b:1883?topics=a/b/c", mqtt("b:1883", "{type}"), may},
		"the broker's own topics":    {"mqtt://b:1883?topics=%23", mqtt("b:1883", "$SYS/x"), none},
	} {
		t.Run(name, func(t *testing.T) {
			configs, err := Parse(test.source)
			if err != nil {
				t.Fatal(err)
			}
			loop := LoopProblem(configs[0], test.to)
			switch {
			case (loop != nil) != (test.want != none):
				t.Errorf("%v, want %q", loop, test.want)
			case loop != nil && (!strings.Contains(loop.Error(), test.want) || loop.Certain != (test.want == is)):
				t.Errorf("%v, want %q", loop, test.want)
			}
		})
	}
}

func TestSourcesThatCannotRunTogether(t *testing.T) {
	for text, want := range map[string]string{
		"http:8080,kafka:9092,mqtt:1883":                                         "",
		"kafka:9092,kafka:9092":                                                  "", // two members of one group
		"mqtt:1883,mqtt:other:1883":                                              "",
		"http:8080,http:8080":                                                    "listens on 127.0.0.1:8080 already",
		"mqtt://b:1883?topics=a,mqtt://B:1883?topics=b":                          "as the same client",
		"mqtt://b:1883?topics=a&group=x,mqtt://b:1883?topics=b&group=y":          "",
		"mqtt://b:1883?topics=a&group=x,mqtt://b:1883?topics=b&group=x,mqtt:b:1": "as the same client",
	} {
		_, err := Parse(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestSettingsThatAreWrong(t *testing.T) {
	kafka := func(change func(*KafkaSettings)) keg.SourceSettings {
		k := &KafkaSettings{Address: []string{"b:1"}, Topics: []string{"a"}, Group: "g", ClientID: "c", Start: "oldest", MaxInFlight: 1}
		change(k)
		return k
	}
	mqtt := func(change func(*MQTTSettings)) keg.SourceSettings {
		m := &MQTTSettings{Address: "b:1", Topics: []string{"a"}, QoS: 1, MaxInFlight: 1}
		change(m)
		return m
	}
	for path, settings := range map[string]keg.SourceSettings{
		"":                              kafka(func(*KafkaSettings) {}),
		" ":                             mqtt(func(*MQTTSettings) {}),
		"address: is required: the":     kafka(func(k *KafkaSettings) { k.Address = nil }),
		"address: must be host:port":    kafka(func(k *KafkaSettings) { k.Address = []string{"b"} }),
		"topics: needs":                 kafka(func(k *KafkaSettings) { k.Topics = nil }),
		`topics: "a b" has`:             kafka(func(k *KafkaSettings) { k.Topics = []string{"a b"} }),
		`topics: has "a" twice`:         kafka(func(k *KafkaSettings) { k.Topics = []string{"a", "a"} }),
		"group: must be 1":              kafka(func(k *KafkaSettings) { k.Group = "" }),
		"client_id: must be 1":          kafka(func(k *KafkaSettings) { k.ClientID = "a b" }),
		"start: must":                   kafka(func(k *KafkaSettings) { k.Start = "latest" }),
		"max_in_flight: must":           kafka(func(k *KafkaSettings) { k.MaxInFlight = 0 }),
		"address: must begin":           mqtt(func(m *MQTTSettings) { m.Address = "amqp://b" }),
		`topics: "a/#/b" has # before`:  mqtt(func(m *MQTTSettings) { m.Topics = []string{"a/#/b"} }),
		`topics: "a+" has + or #`:       mqtt(func(m *MQTTSettings) { m.Topics = []string{"a+"} }),
		`topics: "$share/g/a" must not`: mqtt(func(m *MQTTSettings) { m.Topics = []string{"$share/g/a"} }),
		"group: must not":               mqtt(func(m *MQTTSettings) { m.Group = "a/b" }),
		"qos: must":                     mqtt(func(m *MQTTSettings) { m.QoS = 0 }),
		"username: is required":         mqtt(func(m *MQTTSettings) { m.Password = keg.NewSecret("s3cr3t") }),
		"client_id: must not have":      mqtt(func(m *MQTTSettings) { m.ClientID = "a\x00" }),
		"address: is required: host":    &HTTPSettings{},
		"address: has no port":          &HTTPSettings{Address: "h:99999"},
		"idle_timeout: must not":        &HTTPSettings{Address: "h:1", IdleTimeout: -1},
	} {
		err := settings.Validate()
		if want := strings.TrimSpace(path); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}
