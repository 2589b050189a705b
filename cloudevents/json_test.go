package cloudevents

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

// doc is a JSON event with these members besides the required ones.
func doc(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"specversion":"1.0","id":"1","type":"t","source":"/s"` + members + `}`
}

func TestReadingJSON(t *testing.T) {
	event := func(change func(*keg.Event)) *keg.Event {
		e := &keg.Event{ID: "1", Type: "t", Source: "/s"}
		change(e)
		return e
	}
	tests := map[string]struct {
		text string
		want *keg.Event
	}{
		"required attributes alone": {doc(``), event(func(*keg.Event) {})},
		"all attributes": {
			doc(`"subject":"x","time":"2026-01-31T12:00:00Z","datacontenttype":"application/json","dataschema":"urn:x"`),
			event(func(e *keg.Event) {
				e.Subject, e.Time, e.DataContentType, e.DataSchema = "x", received, "application/json", "urn:x"
			}),
		},
		"null is unset":                        {doc(`"subject":null,"ext":null,"data":null,"data_base64":null`), event(func(*keg.Event) {})},
		"null leaves room for the other data":  {doc(`"data":null,"data_base64":"aGk="`), event(func(e *keg.Event) { e.Data = []byte("hi") })},
		"unknown members are extensions":       {doc(`"a":"x","b":true,"c":-7,"d":false`), event(func(e *keg.Event) { e.Extensions = map[string]string{"a": "x", "b": "true", "c": "-7", "d": "false"} })},
		"an empty extension stays":             {doc(`"a":""`), event(func(e *keg.Event) { e.Extensions = map[string]string{"a": ""} })},
		"escapes are undone":                   {doc(`"subj\u0065ct":"\u20ac \"\ud83d\ude00\""`), event(func(e *keg.Event) { e.Subject = `€ "😀"` })},
		"white space anywhere":                 {" \n" + doc(` "data" : [ 1 ] `) + "\t\r\n", event(func(e *keg.Event) { e.Data = []byte(`[ 1 ]`) })},
		"JSON data as it is written":           {doc(`"data":{"b": 1e400, "a":[true,null]}`), event(func(e *keg.Event) { e.Data = []byte(`{"b": 1e400, "a":[true,null]}`) })},
		"a JSON string is not parsed again":    {doc(`"data":"{\"a\":1}"`), event(func(e *keg.Event) { e.Data = []byte(`"{\"a\":1}"`) })},
		"a string is text under a text type":   {doc(`"datacontenttype":"text/plain","data":"a\nb"`), event(func(e *keg.Event) { e.DataContentType, e.Data = "text/plain", []byte("a\nb") })},
		"the content type may come last":       {doc(`"data":"a\nb","datacontenttype":"text/plain"`), event(func(e *keg.Event) { e.DataContentType, e.Data = "text/plain", []byte("a\nb") })},
		"an empty string is data, and empty":   {doc(`"datacontenttype":"text/plain","data":""`), event(func(e *keg.Event) { e.DataContentType, e.Data = "text/plain", []byte{} })},
		"an object under another type is JSON": {doc(`"datacontenttype":"text/plain","data":{"a":1}`), event(func(e *keg.Event) { e.DataContentType, e.Data = "text/plain", []byte(`{"a":1}`) })},
		"base64":                               {doc(`"datacontenttype":"image/png","data_base64":"AP8="`), event(func(e *keg.Event) { e.DataContentType, e.Data = "image/png", []byte{0, 255} })},
		"data as deep as data may be":          {doc(`"data":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)), event(func(e *keg.Event) { e.Data = []byte(strings.Repeat("[", 64) + strings.Repeat("]", 64)) })},
		"brackets in strings are not deep":     {doc(`"data":"` + strings.Repeat("[", 99) + `\"["`), event(func(e *keg.Event) { e.Data = []byte(`"` + strings.Repeat("[", 99) + `\"["`) })},
		"a name twice in the data is its own":  {doc(`"data":{"a":1,"a":2}`), event(func(e *keg.Event) { e.Data = []byte(`{"a":1,"a":2}`) })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FromJSON([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSONThatIsNoEvent(t *testing.T) {
	tests := map[string]struct{ text, attribute, problem string }{
		"no specversion":                  {`{"id":"1","type":"t","source":"/s"}`, "specversion", "is required and is missing"},
		"specversion null":                {`{"specversion":null,"id":"1","type":"t","source":"/s"}`, "specversion", "is required and is missing"},
		"specversion as a number":         {`{"specversion":1.0,"id":"1","type":"t","source":"/s"}`, "specversion", "must be a JSON string"},
		"no id":                           {`{"specversion":"1.0","type":"t","source":"/s"}`, "id", "is required and must not be empty"},
		"an id that is a number":          {`{"specversion":"1.0","id":1,"type":"t","source":"/s"}`, "id", "must be a JSON string"},
		"a member twice":                  {doc(`"subject":"a","subject":"b"`), "subject", "is there twice"},
		"a required member twice":         {doc(`"id":"2"`), "id", "is there twice"},
		"specversion twice":               {doc(`"specversion":"1.0"`), "specversion", "is there twice"},
		"a member twice, once escaped":    {doc(`"typ\u0065":"forged"`), "type", "is there twice"},
		"data twice":                      {doc(`"data":1,"data":2`), "data", "is there twice"},
		"data and data_base64":            {doc(`"data":1,"data_base64":"aGk="`), "data_base64", `and "data" exclude each other`},
		"data_base64 that is no string":   {doc(`"data_base64":{}`), "data_base64", "must be a JSON string"},
		"data_base64 that is no base64":   {doc(`"data_base64":"?"`), "data_base64", "is no base64 (RFC 4648, section 4)"},
		"base64 for URLs":                 {doc(`"data_base64":"_-8="`), "data_base64", "is no base64 (RFC 4648, section 4)"},
		"base64 without its padding":      {doc(`"data_base64":"aGk"`), "data_base64", "is no base64 (RFC 4648, section 4)"},
		"an extension that is an object":  {doc(`"ext":{}`), "ext", "must be a string, a boolean or a 32-bit integer, as extensions are"},
		"an extension that is a fraction": {doc(`"ext":1.5`), "ext", "must be a string, a boolean or a 32-bit integer, as extensions are"},
		"an extension of 33 bits":         {doc(`"ext":2147483648`), "ext", "must be a string, a boolean or a 32-bit integer, as extensions are"},
		"an extension in upper case":      {doc(`"myExt":"x"`), "myExt", "is no name of an extension: it may have only a-z and 0-9"},
		"an extension without a name":     {doc(`"":"x"`), "", "is no name of an extension: it is empty"},
		"a NUL in an attribute":           {doc(`"subject":"a\u0000b"`), "subject", "has the control character U+0000 at byte 1"},
		"a line feed in an extension":     {doc(`"ext":"a\nb"`), "ext", "has the control character U+000A at byte 1"},
		"a dataschema that is relative":   {doc(`"dataschema":"x"`), "dataschema", "must be an absolute URI"},
		"half a surrogate pair":           {doc(`"subject":"\ud800"`), "", "broken JSON at byte 66: invalid surrogate pair"},
		"nothing":                         {``, "", "broken JSON at byte 0: it ends too early"},
		"null":                            {`null`, "", "the event is no JSON object"},
		"a byte order mark":               {"\uFEFF" + doc(""), "", "broken JSON at byte 0: invalid character '\\ufeff' at start of value"},
		"nesting without end":             {doc(`"data":` + strings.Repeat("[", 20000)), "", "broken JSON at byte 10061: exceeded max depth"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := FromJSON([]byte(test.text))
			var invalid *keg.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v", err)
			}
			if invalid.Attribute != test.attribute || !strings.HasPrefix(invalid.Problem, test.problem) {
				t.Errorf("got %+v", *invalid)
			}
		})
	}
}

func TestWritingJSON(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	tests := map[string]struct {
		event keg.Event
		want  string
	}{
		"required attributes alone": {keg.Event{}, doc(``)},
		"in an order that never changes": {
			keg.Event{Subject: "x", Time: time.Date(2026, 1, 31, 12, 0, 0, 500, zone), DataContentType: "application/json", DataSchema: "urn:x",
				Extensions: map[string]string{"c": "3", "a": "1", "b": ""}, Data: []byte(`{"a":1}`)},
			doc(`"subject":"x","time":"2026-01-31T12:00:00.0000005+02:00","datacontenttype":"application/json","dataschema":"urn:x","a":"1","b":"","c":"3","data":{"a":1}`),
		},
		"text is a string":                {keg.Event{DataContentType: "text/plain; charset=utf-8", Data: []byte("a\n\"b\"€")}, doc(`"datacontenttype":"text/plain; charset=utf-8","data":"a\n\"b\"€"`)},
		"XML is text":                     {keg.Event{DataContentType: "application/atom+xml", Data: []byte("<a/>")}, doc(`"datacontenttype":"application/atom+xml","data":"<a/>"`)},
		"text that is not UTF-8 is bytes": {keg.Event{DataContentType: "text/plain", Data: []byte("caf\xe9")}, doc(`"datacontenttype":"text/plain","data_base64":"Y2Fm6Q=="`)},
		"all else is bytes":               {keg.Event{DataContentType: "image/png", Data: []byte("abc")}, doc(`"datacontenttype":"image/png","data_base64":"YWJj"`)},
		"JSON that is none is bytes":      {keg.Event{DataContentType: "application/json", Data: []byte(`{"a"`)}, doc(`"datacontenttype":"application/json","data_base64":"eyJh` + `Ig=="`)},
		"two JSON values are bytes":       {keg.Event{Data: []byte(`1 2`)}, doc(`"data_base64":"MSAy"`)},
		"a bare null is bytes":            {keg.Event{Data: []byte(` null`)}, doc(`"data_base64":"IG51bGw="`)},
		"no content type and JSON":        {keg.Event{Data: []byte(`[1]`)}, doc(`"data":[1]`)},
		"empty data is not absent":        {keg.Event{DataContentType: "text/plain", Data: []byte{}}, doc(`"datacontenttype":"text/plain","data":""`)},
		"quotes and HTML":                 {keg.Event{Subject: `"<\` + "\u2028"}, doc(`"subject":"\"<\\` + "\u2028" + `"`)},
		"a dead letter tells its story": {
			keg.Event{Headers: keg.Headers{"keg-dlq-reason": {"attempts spent"}, "keg-dlq-first-time": {"t"}, "keg-dlq-error": {"a\r\nb\xff"}, "x-other": {"no"}}},
			doc(`"kegdlqerror":"a  b ","kegdlqfirsttime":"t","kegdlqreason":"attempts spent"`),
		},
		"a story is told anew": {
			keg.Event{Extensions: map[string]string{"kegdlqreason": "forged", "kegdlqroute": "a"}, Headers: keg.Headers{"keg-dlq-reason": {"refused"}}},
			doc(`"kegdlqroute":"a","kegdlqreason":"refused"`),
		},
		"without a story such an extension is like any other": {
			keg.Event{Extensions: map[string]string{"kegdlqreason": "mine"}, Headers: keg.Headers{"x-other": {"no"}}},
			doc(`"kegdlqreason":"mine"`),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := test.event
			e.ID, e.Type, e.Source = "1", "t", "/s"
			want := strings.Replace(test.want, `"type":"t","source":"/s"`, `"source":"/s","type":"t"`, 1)
			got := string(AppendJSON([]byte("kept "), &e))
			if diff := cmp.Diff("kept "+want, got); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
			if !json.Valid([]byte(got[5:])) {
				t.Error("no JSON")
			}
		})
	}
}

// batchOf is the JSON batch format, as a sender writes it.
func batchOf(events ...*keg.Event) []byte {
	documents := make([]string, len(events))
	for i, e := range events {
		documents[i] = string(AppendJSON(nil, e))
	}
	return []byte("[" + strings.Join(documents, ",") + "]")
}

func TestABatchOfWhatWasWrittenIsRead(t *testing.T) {
	a, b := &keg.Event{ID: "a", Type: "t", Source: "/s"}, &keg.Event{ID: "b", Type: "t", Source: "/s", Data: []byte("7")}
	for _, events := range [][]*keg.Event{{}, {a}, {a, b}} {
		batch, err := FromRequest(post(string(batchOf(events...)), "content-type", mediaTypeBatch), Options{})
		if err != nil || len(batch.Entries) != len(events) {
			t.Fatalf("%d events: %+v, %v", len(events), batch, err)
		}
		for i, entry := range batch.Entries {
			if diff := cmp.Diff(events[i], bare(entry.Event)); diff != "" {
				t.Errorf("event %d (-want +got):\n%s", i, diff)
			}
		}
	}
}

func TestAppendJSONDoesNotAllocateForEachAttribute(t *testing.T) {
	e, err := FromJSON(structuredBody())
	if err != nil {
		t.Fatal(err)
	}
	dst := AppendJSON(nil, e)
	if n := testing.AllocsPerRun(100, func() { dst = AppendJSON(dst[:0], e) }); n > 1 {
		t.Errorf("%v allocations, and one for the extensions' names is enough", n)
	}
}
