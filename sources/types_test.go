package sources

import (
	"testing"

	"github.com/kong/keg/router/strict"
)

// Every key that a type has is read from a document, and its defaults are legal.
func TestEveryTypeIsReadFromADocument(t *testing.T) {
	documents := map[string][]string{
		"http": {`address: "8080"`, `{address: "0.0.0.0:8080", max_connections: 5, max_buffered_bytes: 1048576, header_timeout: 1s, read_timeout: 2s, idle_timeout: 3s, drain_timeout: 4s}`},
		"kafka": {"address: b:9092", `{address: [a:1, b:2], topics: [a, b], group: g, client_id: c, start: newest, max_in_flight: 9,
			tls: {ca: /ca.pem, server_name: x}, sasl: {mechanism: PLAIN, username: u, password: p}}`},
		"mqtt": {"address: b:1883", `{address: "ssl://b", topics: "a/+, b/#", group: g, client_id: c, qos: 2, username: u, password: p, max_in_flight: 9, tls: {}}`},
	}
	for _, st := range Types() {
		if st.Doc == "" || len(documents[st.Name]) == 0 {
			t.Errorf("%s: no word, or no test", st.Name)
		}
		for _, document := range documents[st.Name] {
			top, err := strict.Read("test", []byte(document))
			if err != nil {
				t.Fatal(err)
			}
			settings := st.New()
			d := strict.NewDecoder("test", strict.Options{})
			d.Struct([]any{settings}, top)
			if err := d.Err(); err != nil {
				t.Errorf("%s: %s: %v", st.Name, document, err)
			} else if err := settings.Validate(); err != nil {
				t.Errorf("%s: %s: %v", st.Name, document, err)
			}
		}
	}
}
