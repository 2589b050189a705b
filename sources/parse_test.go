package sources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := map[string][]Spec{
		"":                         nil,
		"  ":                       nil,
		"http:8080":                {{Protocol: "http", Address: "127.0.0.1:8080"}},
		"HTTP:8080":                {{Protocol: "http", Address: "127.0.0.1:8080"}},
		"http:0.0.0.0:8080":        {{Protocol: "http", Address: "0.0.0.0:8080"}},
		"http:[::]:8080":           {{Protocol: "http", Address: "[::]:8080"}},
		"http://127.0.0.1:8080":    {{Protocol: "http", Address: "127.0.0.1:8080"}},
		"http://localhost:8080/":   {{Protocol: "http", Address: "localhost:8080"}},
		"http:0":                   {{Protocol: "http", Address: "127.0.0.1:0"}},
		"http:0,http:0":            {{Protocol: "http", Address: "127.0.0.1:0"}, {Protocol: "http", Address: "127.0.0.1:0"}},
		"kafka:9092":               {{Protocol: "kafka", Address: "kafka:9092"}},
		"kafka:broker-1.lan:9092":  {{Protocol: "kafka", Address: "broker-1.lan:9092"}},
		"kafka://broker:9092":      {{Protocol: "kafka", Address: "broker:9092"}},
		"kafka://b:9092?group=g":   {{Protocol: "kafka", Address: "b:9092", Group: "g"}},
		"mqtt:1883":                {{Protocol: "mqtt", Address: "mqtt:1883"}},
		"mqtt:host:1883":           {{Protocol: "mqtt", Address: "host:1883"}},
		"http:8080, kafka:9092":    {{Protocol: "http", Address: "127.0.0.1:8080"}, {Protocol: "kafka", Address: "kafka:9092"}},
		"kafka://b:1?topics=a|b.c": {{Protocol: "kafka", Address: "b:1", Topics: []string{"a", "b.c"}}},
		"mqtt://h:1883/?topics=s/%2B/t|x/%23&group=keg+1": {{Protocol: "mqtt", Address: "h:1883", Topics: []string{"s/+/t", "x/#"}, Group: "keg+1"}},
	}
	for text, want := range tests {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		for _, spec := range got {
			again, err := Parse(spec.String())
			if err != nil || !cmp.Equal(again, []Spec{spec}) {
				t.Errorf("%q is %s, which reads as %v, %v", text, spec, again, err)
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
		"http:8080,http://127.0.0.1:8080": `entry 2, "http://127.0.0.1:8080": an entry before it listens on 127.0.0.1:8080 already`,
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

func TestKafkaAndMQTTAreNotThereYet(t *testing.T) {
	for _, text := range []string{"kafka:9092", "mqtt:1883"} {
		specs, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		source, err := specs[0].Source(Options{})
		if source != nil || err == nil || !strings.HasPrefix(err.Error(), specs[0].Protocol+" sources are not available in this version; ") {
			t.Errorf("%s: %v, %v", text, source, err)
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
		for _, spec := range specs {
			if strings.ContainsAny(spec.Address, " @/\n\x00") {
				t.Fatalf("%q has the address %q", text, spec.Address)
			}
		}
	})
}
