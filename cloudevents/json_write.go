package cloudevents

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// AppendJSON appends e to dst in the JSON event format: required attributes
// first, then the optional ones, extensions by name, data last. Data that calls
// itself JSON and is not goes as base64, so that nothing is lost and the
// document stays JSON. A dead letter's story becomes extensions.
func AppendJSON(dst []byte, e *keg.Event) []byte {
	dst = append(dst, `{"specversion":"`+keg.SpecVersion+`","id":`...)
	dst = appendString(dst, e.ID)
	dst = append(dst, `,"source":`...)
	dst = appendString(dst, e.Source)
	dst = append(dst, `,"type":`...)
	dst = appendString(dst, e.Type)
	dst = appendMember(dst, "subject", e.Subject)
	if !e.Time.IsZero() {
		dst = append(dst, `,"time":"`...)
		dst = e.Time.AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, '"')
	}
	dst = appendMember(dst, "datacontenttype", e.DataContentType)
	dst = appendMember(dst, "dataschema", e.DataSchema)
	for _, name := range extensionNames(e) {
		if retold(e, name) {
			continue
		}
		dst = append(dst, `,"`...)
		dst = append(dst, name...)
		dst = append(dst, `":`...)
		dst = appendString(dst, e.Extensions[name])
	}
	dst = appendStory(dst, e)
	dst = appendData(dst, e)
	return append(dst, '}')
}

func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return appendString(dst, value)
}

func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // what is not UTF-8 is replaced; events that were validated have none
	return dst
}

func appendData(dst []byte, e *keg.Event) []byte {
	switch {
	case e.Data == nil:
		return dst
	case e.JSONData() && isJSON(e.Data):
		dst = append(dst, `,"data":`...)
		return append(dst, e.Data...)
	case isText(e.DataContentType) && utf8.Valid(e.Data):
		dst = append(dst, `,"data":`...)
		dst, _ = jsontext.AppendQuote(dst, e.Data)
		return dst
	}
	dst = append(dst, `,"data_base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, e.Data)
	return append(dst, '"')
}

// isJSON reports whether data can stand as the value of "data". A bare null
// cannot, because readers take it for no data.
func isJSON(data []byte) bool {
	if string(bytes.TrimSpace(data)) == "null" || tooDeep(data, maxDepth) {
		return false
	}
	s := startScan(data)
	defer s.finish()
	if _, err := s.ReadValue(); err != nil {
		return false
	}
	return s.end() == nil
}

// isText reports whether data of a content type other than JSON is text, which
// is kept readable where it is UTF-8.
func isText(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return strings.HasPrefix(mediaType, "text/") || strings.HasSuffix(mediaType, "/xml") ||
		strings.HasSuffix(mediaType, "+xml") || mediaType == "application/x-www-form-urlencoded"
}

// extensionNames are the names of e's extensions in the order of writing.
func extensionNames(e *keg.Event) []string {
	if len(e.Extensions) == 0 {
		return nil
	}
	names := slices.AppendSeq(make([]string, 0, len(e.Extensions)), maps.Keys(e.Extensions))
	slices.Sort(names)
	return names
}
