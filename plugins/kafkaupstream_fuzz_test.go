package plugins

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// FuzzRecord: whatever a client sends, its record is JSON, or it hears why not.
func FuzzRecord(f *testing.F) {
	f.Add("application/json", []byte(`{"a":1}`), "a=1&flag&a=%zz", "x-name", "J\xf6rg")
	f.Add("application/x-www-form-urlencoded", []byte("a=%ff&=b&c"), "", "", "")
	f.Add("multipart/form-data; boundary=b", []byte("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"), "&&", "\xff", "\x00")
	f.Add("text/plain", []byte("\xff"), "\xff=\xfe", "a", "b")
	u := &kafkaUpstreamInstance{config: &kafkaUpstreamConfig{ForwardMethod: true, ForwardURI: true, ForwardHeaders: true, ForwardBody: true}}
	f.Fuzz(func(t *testing.T, contentType string, body []byte, query, header, value string) {
		record, err := u.record(&kafkaRequest{
			method: "POST", uri: "/?" + query, query: query, contentType: contentType, body: body, headers: keg.Headers{header: {value, value}},
		})
		if err != nil {
			if _, ok := err.(*keg.InvalidError); !ok {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		if !jsontext.Value(record).IsValid(jsontext.AllowDuplicateNames(true)) {
			t.Errorf("no JSON: %q", record)
		}
	})
}
