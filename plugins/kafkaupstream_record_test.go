package plugins_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/records anew")

const boundary = "----form"

func multipartBody(parts ...string) string {
	return "--" + boundary + "\r\n" + strings.Join(parts, "\r\n--"+boundary+"\r\n") + "\r\n--" + boundary + "--\r\n"
}

func part(name, value string) string {
	return "Content-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value
}

// TestRecordsAreKongEnterprises sends requests, byte by byte, through the
// stand-in for Kong, and holds the records against testdata/records.
func TestRecordsAreKongEnterprises(t *testing.T) {
	kafka, records := startKafka(t, "records")
	_, port, _ := net.SplitHostPort(kafka)
	proxy := startGateway(t, fmt.Sprintf(`
_format_version: "3.0"
routes:
- {name: body, paths: [/body], plugins: [{name: kafka-upstream, config: {bootstrap_servers: [{host: 127.0.0.1, port: %[1]s}], topic: records, producer_async: false}}]}
- name: all
  paths: [/all]
  plugins:
  - name: kafka-upstream
    config: {bootstrap_servers: [{host: 127.0.0.1, port: %[1]s}], topic: records, producer_async: false, forward_method: true, forward_uri: true, forward_headers: true}
- name: uri
  paths: [/uri]
  plugins:
  - name: kafka-upstream
    config: {bootstrap_servers: [{host: 127.0.0.1, port: %[1]s}], topic: records, producer_async: false, forward_uri: true, forward_body: false}
`, port))
	const form, form2 = "application/x-www-form-urlencoded", "multipart/form-data; boundary=" + boundary
	for _, test := range []struct {
		name, line, contentType, body string
		headers                       string // further ones, as lines
	}{
		{name: "form", contentType: form, body: "a=1&b=two+words&a=3&flag&empty=&%C3%A4=%e2%82%ac&bad=%zz&=nameless&last=%4"},
		{name: "form-with-charset", contentType: "Application/X-WWW-Form-Urlencoded; charset=utf-8", body: "a=1"},
		{name: "form-empty", contentType: form},
		{name: "form-in-latin-1", contentType: form, body: "name=J%F6rg"},
		{name: "form-in-bytes", contentType: form, body: "name=J\xf6rg"},
		{name: "multipart", contentType: form2, body: multipartBody(part("a", "1"), part("b", "two\r\nlines"), part("a", "3"), part("ä", "€"))},
		{name: "multipart-with-a-file", contentType: form2, body: multipartBody(part("a", "1"),
			"Content-Disposition: form-data; name=\"f\"; filename=\"x.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xff\xfe")},
		{name: "json", contentType: "application/json", body: `{"order": {"n": 1, "text": "ä\u20ac"}, "big": 12345678901234567890}`},
		{name: "json-with-charset", contentType: "application/json; charset=utf-8", body: " [1, {\"a\": null}]\n"},
		{name: "json-of-another-kind", contentType: "application/vnd.api+json", body: `{"a":1}`},
		{name: "text", contentType: "text/plain", body: "one\ntwo \"three\" \x01 ä"},
		{name: "text-in-latin-1", contentType: "text/plain; charset=iso-8859-1", body: "J\xf6rg"},
		{name: "xml", contentType: "application/soap+xml; charset=utf-8", body: "<a>1 &amp; 2</a>"},
		{name: "csv", contentType: "text/csv", body: "a,b\n1,2"},
		{name: "binary", contentType: "application/octet-stream", body: "\x00\x01\xff"},
		{name: "no-content-type", body: "who knows"},
		{name: "no-body", line: "GET /all/items?a=1&flag&a=2&empty=&a HTTP/1.1", headers: "X-Twice: 1\r\nX-Twice: 2\r\n"},
		{name: "header-in-bytes", line: "POST /all HTTP/1.1", contentType: "text/plain", body: "x", headers: "X-Name: J\xf6rg\r\nX-Good: \xc3\xa4\r\n"},
		{name: "uri-alone", line: "PUT /uri/a%2Fb?q=%F6&p=%C3%B6 HTTP/1.1", contentType: "application/json", body: "no JSON at all"},
		{name: "no-query", line: "DELETE /uri HTTP/1.1"},
		{name: "body-in-a-file", contentType: "text/plain", body: strings.Repeat("0123456789abcdef", 1000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.line == "" {
				test.line = "POST /body HTTP/1.1"
			}
			if test.contentType != "" {
				test.headers += "Content-Type: " + test.contentType + "\r\n"
			}
			status, answer := raw(t, proxy, fmt.Sprintf("%s\r\nHost: shop\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", test.line, test.headers, len(test.body), test.body))
			if status != 200 || answer != `{"message":"message sent"}` {
				t.Fatalf("%d %s", status, answer)
			}
			got := records.next(t).Value
			if !json.Valid(got) {
				t.Errorf("no JSON: %q", got)
			}
			golden := filepath.Join("testdata", "records", test.name+".json")
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got)+"\n" != string(want) {
				t.Errorf("the record is\n%swant\n%s", got, want)
			}
		})
	}
	t.Run("bodies that are not what they say", func(t *testing.T) {
		for name, test := range map[string][2]string{
			"broken JSON":                    {"application/json", `{"a":`},
			"JSON that is no object or list": {"application/json", `5`},
			"JSON in Latin-1":                {"application/json", "{\"a\":\"\xf6\"}"},
			"a form without its end":         {form2, "--" + boundary + "\r\n" + part("a", "1")},
			"a form without a boundary":      {"multipart/form-data", multipartBody(part("a", "1"))},
			"a form of too many parts":       {form2, multipartBody(strings.Split(strings.Repeat(part("a", "1")+"|", 1001), "|")[:1001]...)},
		} {
			status, answer := raw(t, proxy, fmt.Sprintf("POST /body HTTP/1.1\r\nHost: shop\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", test[0], len(test[1]), test[1]))
			if status != 400 || !strings.Contains(answer, `{"message":"\"body\" is no `) {
				t.Errorf("%s: %d %s", name, status, answer)
			}
		}
	})
}

// raw sends a request as it stands.
func raw(t *testing.T, address, request string) (status int, answer string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
