package sources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/router/strict"
)

func TestParse(t *testing.T) {
	listens := func(address string) keg.SourceSettings { return &HTTPSettings{Address: address} }
	reads := func(address, group string, topics ...string) keg.SourceSettings {
		return &KafkaSettings{Address: []string{address}, Topics: topics, Group: group, ClientID: "keg", Start: "oldest", MaxInFlight: 500}
	}
	hears := func(address, group string, filters ...string) keg.SourceSettings {
		return &MQTTSettings{Address: address, Topics: filters, Group: group, QoS: 1, MaxInFlight: 1000}
	}
	tests := map[string][]keg.SourceSettings{
		"":                         nil,
		"  ":                       nil,
		"http:8080":                {listens("127.0.0.1:8080")},
		"HTTP:8080":                {listens("127.0.0.1:8080")},
		"http:0.0.0.0:8080":        {listens("0.0.0.0:8080")},
		"http:[::]:8080":           {listens("[::]:8080")},
		"http://127.0.0.1:8080":    {listens("127.0.0.1:8080")},
		"http://localhost:8080/":   {listens("localhost:8080")},
		"http:0":                   {listens("127.0.0.1:0")},
		"http:0,http:0":            {listens("127.0.0.1:0"), listens("127.0.0.1:0")},
		"kafka:9092":               {reads("kafka:9092", "keg", "keg.events")},
		"kafka:broker-1.lan:9092":  {reads("broker-1.lan:9092", "keg", "keg.events")},
		"kafka://broker:9092":      {reads("broker:9092", "keg", "keg.events")},
		"kafka://b:9092?group=g":   {reads("b:9092", "g", "keg.events")},
		"mqtt:1883":                {hears("mqtt:1883", "", "keg/events/#")},
		"mqtt:host:1883":           {hears("host:1883", "", "keg/events/#")},
		"http:8080, kafka:9092":    {listens("127.0.0.1:8080"), reads("kafka:9092", "keg", "keg.events")},
		"kafka://b:1?topics=a|b.c": {reads("b:1", "keg", "a", "b.c")},
		"mqtt://h:1883/?topics=s/%2B/t|x/%23&group=keg-1": {hears("h:1883", "keg-1", "s/+/t", "x/#")},
	}
	for text, want := range tests {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var settings []keg.SourceSettings
		for _, c := range got {
			settings = append(settings, c.Settings)
		}
		if diff := cmp.Diff(want, settings, cmp.AllowUnexported(keg.Secret{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		for _, c := range got {
			again, err := Parse(c.Name)
			if err != nil || !cmp.Equal(again, []keg.SourceConfig{c}, cmp.AllowUnexported(keg.Secret{})) {
				t.Errorf("%q is %s, which reads as %v, %v", text, c.Name, again, err)
			}
			if _, err := Open(c, Options{}); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

// What an entry does not say is what routes.yaml's keys are by their tags.
func TestEntriesHaveTheDefaultsOfRoutes(t *testing.T) {
	for entry, document := range map[string]string{
		"kafka:9092": "address: kafka:9092", "mqtt:1883": "address: mqtt:1883",
	} {
		configs, err := Parse(entry)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range Types() {
			if st.Name != configs[0].Type {
				continue
			}
			top, err := strict.Read("test", []byte(document))
			if err != nil {
				t.Fatal(err)
			}
			settings := st.New()
			d := strict.NewDecoder("test", strict.Options{})
			d.Struct([]any{settings}, top)
			if d.Err() != nil || !cmp.Equal(settings, configs[0].Settings, cmp.AllowUnexported(keg.Secret{})) {
				t.Errorf("%s: %v\n%s", entry, d.Err(), cmp.Diff(settings, configs[0].Settings, cmp.AllowUnexported(keg.Secret{})))
			}
		}
	}
}

func TestParseNamesTheEntryAndTheRightForm(t *testing.T) {
	tests := map[string]string{
		"8080":                            `entry 1, "8080": has no protocol; ` + anyForm,
		"amqp:5672":                       `entry 1, "amqp:5672": has a protocol that KEG does not know; ` + anyForm,
		"http:":                           `entry 1, "http:": is no host and port; ` + httpForm,
		"http::8080":                      `entry 1, "http::8080": does not say for whom to listen; ` + httpForm,
		"http:99999":                      `entry 1, "http:99999": has no port between 1 and 65535; ` + httpForm,
		"http:0.0.0.0":                    `entry 1, "http:0.0.0.0": is no host and port; ` + httpForm,
		"http://h:80/events":              `entry 1, "http://h:80/events": must not have a path; ` + httpForm,
		"http://h:80?x=1":                 `entry 1, "http://h:80?x=1": takes no parameters; ` + httpForm,
		"https:8443":                      `entry 1, "https:8443": the HTTP source speaks plain HTTP, and Kong does TLS in front of it; ` + httpForm,
		"http:h h:80":                     `entry 1, "http:h h:80": has no host that can be one; ` + httpForm,
		"kafka:":                          `entry 1, "kafka:": is no host and port; ` + kafkaForm,
		"kafka:broker":                    `entry 1, "kafka:broker": is no host and port; ` + kafkaForm,
		"kafka:0":                         `entry 1, "kafka:0": has no port between 1 and 65535; ` + kafkaForm,
		"kafka://b:9092?topic=a":          `entry 1, "kafka://b:9092?topic=a": the parameter topic is not known; ` + kafkaForm,
		"kafka://b:9092?group=":           `entry 1, "kafka://b:9092?group=": the parameter group has no value that can be read; ` + kafkaForm,
		"mqtt://h:1883?topics=%z":         `entry 1, "mqtt://h:1883?topics=%z": the parameter topics has no value that can be read; ` + mqttForm,
		"http:8080,":                      `entry 2, "": is empty; ` + anyForm,
		"http:8080,http://127.0.0.1:8080": `entry 2, "http://127.0.0.1:8080": another source listens on 127.0.0.1:8080 already`,
		"kafka://b:9092?topics=a/b":       `entry 1, "kafka://b:9092?topics=a/b": topics: "a/b" has a character that no topic's name may have; a-z, A-Z, 0-9, dot, underscore and hyphen are legal; ` + kafkaForm,
		"mqtt://b:1883?topics=a%23":       `entry 1, "mqtt://b:1883?topics=a%23": topics: "a#" has + or # beside other characters of a level; ` + mqttForm,
		"mqtt://b:1883?group=a/b":         `entry 1, "mqtt://b:1883?group=a/b": group: must not have /, + or #; ` + mqttForm,
		"amqp:1,http:8080,kafka:": `entry 1, "amqp:1": has a protocol that KEG does not know; ` + anyForm + "\n" +
			`entry 3, "kafka:": is no host and port; ` + kafkaForm,
	}
	for text, want := range tests {
		specs, err := Parse(text)
		if err == nil || specs != nil {
			t.Errorf("%q: read as %v", text, specs)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseRepeatsNoPassword(t *testing.T) {
	for _, text := range []string{"kafka://user:hunter2@b:9092", "mqtt:user:hunter2@h:1883", "hunter2@b:9092", "http://a:hunter2@h:80", "amqp://hunter2@x:1", "kafka://u:p@hunter2@b:1"} {
		_, err := Parse(text)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"http:8080,kafka:9092", "kafka://h:1?topics=a|b&group=g", "http:[::1]:80", "mqtt:a:b:c", "@", ",", "http://u:p@h:80", "kafka:1?&=&"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		specs, err := Parse(text)
		if err != nil && specs != nil {
			t.Fatalf("specs beside an error: %v", specs)
		}
		for _, c := range specs {
			if err := c.Settings.Validate(); err != nil || strings.ContainsAny(c.Name, "\n\x00") {
				t.Fatalf("%q is %q: %v", text, c.Name, err)
			}
		}
	})
}
