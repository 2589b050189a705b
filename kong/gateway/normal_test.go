package gateway

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

var (
	idPattern    = regexp.MustCompile(`[0-9a-f]{32}`)
	delayPattern = regexp.MustCompile(`(?i)"x-kong-(proxy|upstream|response)-latency":"\d+"`)
)

// normal takes away what differs from run to run: ids of requests and ports.
func (s *stage) normal(text string) string {
	text = idPattern.ReplaceAllString(text, "ID")
	text = strings.ReplaceAll(text, "Port:["+portText(s.gateway.proxy)+"]", "Port:[8000]")
	return text
}

func portText(addr string) string { _, port, _ := net.SplitHostPort(addr); return port }

func (s *stage) same(method string, recorded, heard []byte) error {
	switch method {
	case "kong.log.serialize":
		return s.sameLog(recorded, heard)
	case "kong.service.response.get_raw_body":
		return s.sameText(text(recorded), text(heard))
	case "kong.request.get_raw_body":
		return s.sameBody(recorded, heard)
	case "kong.request.get_headers", "kong.service.response.get_headers":
		want, got := &structpb.Struct{}, &structpb.Struct{}
		if err := proto.Unmarshal(recorded, want); err != nil {
			return err
		}
		if err := proto.Unmarshal(heard, got); err != nil {
			return err
		}
		if diff := cmp.Diff(want.AsMap(), got.AsMap()); diff != "" {
			return fmt.Errorf("recorded -, heard +:\n%s", diff)
		}
	case "kong.response.get_source":
		// In 34 a failed request is remembered in the next one; see the package's
		// comment.
		if text(heard) != "service" {
			return fmt.Errorf("heard %q", text(heard))
		}
	default:
		if string(recorded) != string(heard) {
			return fmt.Errorf("recorded %x, heard %x", recorded, heard)
		}
	}
	return nil
}

func text(message []byte) string { s, _ := readString(message); return s }

func (s *stage) sameText(recorded, heard string) error {
	if diff := cmp.Diff(s.normal(recorded), s.normal(heard)); diff != "" {
		return fmt.Errorf("recorded -, heard +:\n%s", diff)
	}
	return nil
}

func (s *stage) sameBody(recorded, heard []byte) error {
	var want, got kong_plugin_protocol.RawBodyResult
	if err := proto.Unmarshal(recorded, &want); err != nil {
		return err
	}
	if err := proto.Unmarshal(heard, &got); err != nil {
		return err
	}
	if want.GetBodyFilepath() == "" {
		if !proto.Equal(&want, &got) {
			return fmt.Errorf("recorded %.100s, heard %.100s", want.String(), got.String())
		}
		return nil
	}
	content, err := os.ReadFile(got.GetBodyFilepath())
	if err != nil {
		return err
	}
	if string(content) != string(s.sent) {
		return fmt.Errorf("the file has %d bytes, not the %d that were sent", len(content), len(s.sent))
	}
	if !regexp.MustCompile(`/client_body_temp/\d{10}$`).MatchString(got.GetBodyFilepath()) {
		return fmt.Errorf("the file is %s", got.GetBodyFilepath())
	}
	return nil
}

func (s *stage) sameLog(recorded, heard []byte) error {
	var want, got map[string]any
	if err := json.Unmarshal([]byte(delayPattern.ReplaceAllString(s.normal(text(recorded)), `"x-kong-$1-latency":"0"`)), &want); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(delayPattern.ReplaceAllString(s.normal(text(heard)), `"x-kong-$1-latency":"0"`)), &got); err != nil {
		return err
	}
	size := func(entry map[string]any) float64 {
		n, _ := entry["response"].(map[string]any)["size"].(float64)
		return n
	}
	if math.Abs(size(want)-size(got)) > 8 {
		return fmt.Errorf("the answer's size was recorded as %v, and is %v", size(want), size(got))
	}
	for _, entry := range []map[string]any{want, got} {
		calm(entry)
	}
	if service, ok := got["service"].(map[string]any); ok {
		s.calmPort(service)
	}
	for _, try := range list(got["tries"]) {
		s.calmPort(try)
	}
	if headers := got["response"].(map[string]any)["headers"].(map[string]any); got["source"] == "upstream" {
		// The upstream repeats the proxy's port, which was 8000.
		n, _ := strconv.Atoi(headers["content-length"].(string))
		headers["content-length"] = strconv.Itoa(n - len(portText(s.gateway.proxy)) + len("8000"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("recorded -, heard +:\n%s", diff)
	}
	return nil
}

func list(value any) []map[string]any {
	var out []map[string]any
	items, _ := value.([]any)
	for _, item := range items {
		out = append(out, item.(map[string]any))
	}
	return out
}

func (s *stage) calmPort(entry map[string]any) {
	if fmt.Sprint(entry["port"]) == portText(s.upstream.Listener.Addr().String()) {
		entry["port"] = 9999.0
	}
}

func calm(entry map[string]any) {
	delete(entry, "started_at")
	for _, key := range []string{"route", "service"} {
		if of, ok := entry[key].(map[string]any); ok {
			delete(of, "created_at")
			delete(of, "updated_at")
		}
	}
	latencies := entry["latencies"].(map[string]any)
	for key, value := range latencies {
		if n := value.(float64); n >= 0 {
			latencies[key] = 0.0
		}
	}
	for _, try := range list(entry["tries"]) {
		for key := range try {
			if strings.HasPrefix(key, "balancer_") {
				delete(try, key)
			}
		}
	}
	response := entry["response"].(map[string]any)
	delete(response, "size")
	if headers := response["headers"].(map[string]any); headers["date"] != nil {
		headers["date"] = "DATE"
	}
}

func stable(name, value string) string {
	switch name = strings.ToLower(name); name {
	case "date", "content-length", "x-kong-request-id", "x-kong-upstream-latency", "x-kong-proxy-latency", "x-kong-response-latency":
		return name
	}
	return name + ": " + value
}
