package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kong/keg/plugins"
	"github.com/kong/keg/test/ports"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// switchedServer is an HTTP server whose address is known before it listens.
type switchedServer struct{ address string }

func newSwitchedServer(t *testing.T) *switchedServer {
	t.Helper()
	address, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return &switchedServer{address}
}

func (s *switchedServer) on(t *testing.T) {
	t.Helper()
	l, err := ports.Listen(s.address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
}

const wrongRoutes = `routes:
  - name: a
    match: {event_typ: x}
    destinations:
      - {type: kafka, address: "h:9092"}
      - {type: amqp, address: "h:1"}
  - name: a
    match: {}
    destinations: [{type: http, address: "${KEG_TEST_NOT_SET}"}]
`

func TestServeSaysEverythingThatIsWrongAtOnceAndExits2(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, file, wrongRoutes)
	status, stdout, stderr := runKeg(t, nil, "serve", "--routes", file, "--max-event-bytes", "many", "--socket", filepath.Join(t.TempDir(), "s"),
		"--event-sources", "http:8080,carrier-pigeon:1")
	if status != exitUsage || stdout != "" {
		t.Errorf("exit status %d, stdout %q", status, stdout)
	}
	for _, want := range []string{
		"routes.yaml:3:", "event_type", // the unknown key, and the nearest known one
		"routes.yaml:5:", "topic",
		"routes.yaml:6:", "amqp",
		"routes.yaml:7:", "two",
		"KEG_TEST_NOT_SET",
		"--max-event-bytes", "carrier-pigeon",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("says nothing of %q:\n%s", want, stderr)
		}
	}
}

func TestAFileThatWasNamedMustBeThere(t *testing.T) {
	status, _, stderr := runKeg(t, []string{"KEG_ROUTE_CONFIG=/no/such/routes.yaml"}, "serve", "--socket", filepath.Join(t.TempDir(), "s"))
	if status != exitUsage || !strings.Contains(stderr, `KEG_ROUTE_CONFIG="/no/such/routes.yaml"`) {
		t.Errorf("%d %s", status, stderr)
	}
}

func TestWrongSettingsOfPersistenceAreRefusedAtStart(t *testing.T) {
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "letters.txt"), "mine")
	for name, test := range map[string]struct {
		env  []string
		want []string
	}{
		"no boolean":         {[]string{"KEG_PERSISTENCE_ENABLE=perhaps"}, []string{"KEG_PERSISTENCE_ENABLE", "true or false"}},
		"no store":           {[]string{"KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=mysql://u:s3cret@db/keg"}, []string{"KEG_PERSISTENCE_URL", "mysql", "postgres://"}},
		"a foreign folder":   {[]string{"KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=file://" + foreign}, []string{foreign}},
		"no room for a byte": {[]string{"KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_MAX_BYTES=7"}, []string{"KEG_PERSISTENCE_MAX_BYTES", "10GiB"}},
		"no database":        {[]string{"KEG_PERSISTENCE_ENABLE=true", "KEG_PERSISTENCE_URL=postgres://keg:s3cret@127.0.0.1:1/keg"}, []string{"127.0.0.1:1"}},
		"no address":         {[]string{"KEG_STATUS_LISTEN=here"}, []string{"KEG_STATUS_LISTEN"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := runKeg(t, test.env, "serve", "--socket", filepath.Join(t.TempDir(), "s"))
			if status != exitUsage && status != exitFailure || strings.Contains(stderr, "s3cret") {
				t.Errorf("%d %s", status, stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("says nothing of %q:\n%s", want, stderr)
				}
			}
		})
	}
	if files, _ := os.ReadDir(foreign); len(files) != 1 {
		t.Errorf("something was written to a foreign folder: %v", files)
	}
}

func TestServeTakesEventsByItsHTTPSourceAndEndsOnSIGTERM(t *testing.T) {
	received := make(chan *http.Request, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r }))
	defer hook.Close()
	dir := t.TempDir()
	file, socket := filepath.Join(dir, "routes.yaml"), filepath.Join(dir, "keg.socket")
	write(t, file, `routes: [{name: all, match: {}, destinations: [{type: http, address: "`+hook.URL+`"}]}]`)
	p := start(t, []string{"KEG_EVENT_SOURCES=http:127.0.0.1:0", "KEG_ROUTE_CONFIG=" + file, "KEG_SOCKET=" + socket}, "serve")
	var said struct{ Address string }
	if err := json.Unmarshal([]byte(p.until("source listens")), &said); err != nil {
		t.Fatal("the log is not JSON where nobody sits at a terminal: ", err)
	}
	status, answer, _ := post(t, "http://"+said.Address+"/any/path", "text/plain", "hello")
	if status != http.StatusOK || !strings.Contains(answer, `"routes":["all"]`) {
		t.Errorf("%d %s", status, answer)
	}
	if r := <-received; r.Header.Get("Ce-Type") != "http.request" {
		t.Errorf("the destination got %v", r.Header)
	}
	if info, err := os.Stat(socket); err != nil {
		t.Error("a source listened before the socket: ", err)
	} else if info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v", info.Mode())
	}
	if status := p.stop(); status != 0 {
		t.Errorf("SIGTERM: exit status %d\n%s", status, p.said())
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is still there")
	}
}

func TestPluginDumpPrintsOneDocumentAndNothingElse(t *testing.T) {
	status, stdout, stderr := runKeg(t, []string{"KONG_PREFIX=/opt/kong"}, "plugin", "dump", "event-router")
	var document struct {
		Protocol, SocketPath string
		Plugins              []struct {
			Name     string
			Version  string
			Priority int
			Phases   []string
		}
	}
	decoder := json.NewDecoder(strings.NewReader(stdout))
	if err := decoder.Decode(&document); err != nil || status != 0 || stderr != "" || decoder.More() {
		t.Fatalf("%v, exit status %d, stderr %q", err, status, stderr)
	}
	if document.Protocol != "ProtoBuf:1" || document.SocketPath != "/opt/kong/keg.socket" || len(document.Plugins) != 1 {
		t.Errorf("%+v", document)
	}
	if p := document.Plugins[0]; p.Name != "event-router" || p.Priority != 950 || strings.Join(p.Phases, " ") != "access" {
		t.Errorf("%+v", p)
	}
	if v := document.Plugins[0].Version; !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(v) {
		t.Errorf("version %q: only x.y.z is safe with every Kong, which does not start with a version that it does not take", v)
	}
	if status, _, stderr := runKeg(t, nil, "plugin", "dump", "event-ruter"); status != exitUsage || !strings.Contains(stderr, "event-router") {
		t.Errorf("a wrong name: %d %s", status, stderr)
	}
}

func TestPluginListNamesWhatIsServed(t *testing.T) {
	status, stdout, stderr := runKeg(t, nil, "plugin", "list")
	if want := strings.Join(plugins.Names(), "\n") + "\n"; status != 0 || stdout != want || stderr != "" {
		t.Errorf("exit status %d, %q, want %q, stderr %q", status, stdout, want, stderr)
	}
	status, stdout, _ = runKeg(t, nil, "plugin", "list", "--output", "json")
	var listed []struct {
		Name, Version string
		Priority      int
		Phases        []string
	}
	if err := json.Unmarshal([]byte(stdout), &listed); err != nil || status != 0 || len(listed) != len(plugins.Names()) {
		t.Fatalf("%v, exit status %d: %s", err, status, stdout)
	}
	if p := listed[0]; p.Name != "event-router" || p.Version == "" || p.Priority != 950 || strings.Join(p.Phases, " ") != "access" {
		t.Errorf("%+v", p)
	}
	if status, _, stderr := runKeg(t, nil, "plugin", "list", "-o", "yaml"); status != exitUsage || !strings.Contains(stderr, "text and json") {
		t.Errorf("a wrong output: %d %s", status, stderr)
	}
}

func TestRoutesCheck(t *testing.T) {
	dir := t.TempDir()
	good, wrong := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "wrong.yaml")
	write(t, good, `routes: [{name: all, match: {}, destinations: [{type: http, address: "http://h/"}]}]`)
	write(t, wrong, wrongRoutes)
	if status, stdout, _ := runKeg(t, nil, "routes", "check", good); status != 0 || !strings.Contains(stdout, "good.yaml: good: 1 route (") {
		t.Errorf("%d %s", status, stdout)
	}
	status, stdout, _ := runKeg(t, nil, "routes", "check", good, wrong, "--output", "json")
	var reports []fileReport
	if err := json.Unmarshal([]byte(stdout), &reports); err != nil || status != exitUsage || len(reports) != 2 {
		t.Fatalf("%v, exit status %d: %s", err, status, stdout)
	}
	if !reports[0].Valid || reports[1].Valid || len(reports[1].Errors) < 5 || reports[1].Errors[0].Line != 3 {
		t.Errorf("%+v", reports)
	}
}

// What check calls good, a node must start with.
func TestRoutesCheckOpensWhatItReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, file, `
routes:
  - name: audit
    match: {}
    destinations:
      - {type: kafka, address: "k:1", topic: t, tls: {ca: /no/such.pem, cert: /no/such.pem, key: /no/such.pem}}
      - {type: mqtt, address: "m:1", topic: t, headers: {x-team: blue}}
`)
	for _, args := range [][]string{{"routes", "check", file}, {"serve", "--routes", file, "--socket", filepath.Join(t.TempDir(), "s")}} {
		status, stdout, stderr := runKeg(t, nil, args...)
		if status != exitUsage {
			t.Errorf("%s: exit status %d", args[0], status)
		}
		for _, want := range []string{"\"kafka://k:1/t\": tls.ca: ", "\"kafka://k:1/t\": tls.key: ", "\"mqtt://m:1/t\": headers: "} {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("%s says nothing of %q:\n%s%s", args[0], want, stdout, stderr)
			}
		}
	}
}

func TestNoSettingsPasswordIsRepeated(t *testing.T) {
	status, _, stderr := runKeg(t, []string{"KEG_EVENT_SOURCES=kafka:keg:s3cr3t@broker:9092"}, "serve", "--socket", filepath.Join(t.TempDir(), "s"))
	if status != exitUsage || strings.Contains(stderr, "s3cr3t") || !strings.Contains(stderr, "KEG_EVENT_SOURCES") || !strings.Contains(stderr, "broker:9092") {
		t.Errorf("%d %s", status, stderr)
	}
}

func TestRoutesExplain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, file, `
routes:
  - name: big-orders
    match: {event_type: order.created, data.order.total: {gt: 100}}
    destinations: [{type: http, address: "http://h/"}]
  - name: eu
    match: {headers.x-region: eu}
    destinations: [{type: http, address: "http://h/eu"}]
`)
	event := `{"event_type":"order.created","order":{"total":7}}`
	status, stdout, stderr := runKeg(t, nil, "routes", "explain", file, event, "-H", "X-Region: eu", "--output", "json")
	var said []struct {
		Routes []struct{ Route, Outcome, Key, Seen string }
	}
	if err := json.Unmarshal([]byte(stdout), &said); err != nil || status != 0 || len(said) != 1 || len(said[0].Routes) != 2 {
		t.Fatalf("%v, %d, %s%s", err, status, stdout, stderr)
	}
	if r := said[0].Routes; r[0].Outcome != "failed" || r[0].Key != "data.order.total" || r[0].Seen != "7" || r[1].Outcome != "taken" {
		t.Errorf("%+v", r)
	}
	status, stdout, _ = runKeg(t, nil, "routes", "explain", file, `{"specversion":"1.0","id":"1","type":"x","source":"s"}`)
	if status != 0 || !strings.Contains(stdout, "no route takes it") || !strings.Contains(stdout, "event 1: type x, source s") {
		t.Errorf("%d %s", status, stdout)
	}
	if status, _, stderr := runKeg(t, nil, "routes", "explain", file, "no-such-file.json"); status != exitUsage || !strings.Contains(stderr, "neither JSON nor a file") {
		t.Errorf("%d %s", status, stderr)
	}
}

func TestRoutesCheckAndExplainKnowSchemasAndTransforms(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "routes.yaml")
	write(t, filepath.Join(dir, "order.schema.json"), `{"required": ["order"], "properties": {"order": {"properties": {"id": {"type": "integer"}}}}}`)
	write(t, file, `
routes:
  - name: orders
    match: {event_type: order.created}
    ordered: true
    schema: {file: order.schema.json}
    transform: {data: data.order, set: {subject: {cel: data.order.id}}}
    destinations:
      - {type: http, address: "http://h/"}
      - {type: http, address: "http://i/", transform: {headers: {x-api-key: "${KEY}"}}}
`)
	env := []string{"KEY=s3cr3t"}
	status, stdout, stderr := runKeg(t, env, "routes", "check", file)
	if want := "good: 1 route (0 disabled); destinations: 2 http; 1 ordered route; 1 schema; 2 transforms\n"; status != 0 || !strings.HasSuffix(stdout, want) {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
	_, stdout, _ = runKeg(t, env, "routes", "explain", file, `{"event_type":"order.created","order":{"id":7}}`)
	for _, part := range []string{
		"orders: the data fits the schema", "orders -> http://h/:\n  subject: nothing -> \"7\"", `headers.x-api-key: nothing -> "***"`,
		`data: {"event_type":"order.created","order":{"id":7}} -> {"id":7}`,
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("no %s in\n%s", part, stdout)
		}
	}
	_, stdout, _ = runKeg(t, env, "routes", "explain", file, `{"event_type":"order.created","order":{"id":"x"}}`, "--output", "json")
	var said []struct {
		Routes []struct {
			Schema      struct{ Pointer, Problem string }
			Transformed []any
		}
	}
	if err := json.Unmarshal([]byte(stdout), &said); err != nil || len(said) != 1 || said[0].Routes[0].Schema.Pointer != "/order/id" || said[0].Routes[0].Transformed != nil {
		t.Errorf("%v %s", err, stdout)
	}
	if strings.Contains(stdout, "s3cr3t") {
		t.Error(stdout)
	}
}

func TestUsageMistakesExit2AndPointToTheHelp(t *testing.T) {
	for _, args := range [][]string{{"serve", "--no-such-flag"}, {"tail"}, {"routes", "check"}, {"no-such-command"}, {"version", "--output", "xml"}, {"serve", "extra"},
		{"tail", "x"}, {"tail", "redis://h:1/x"}, {"tail", "kafka://h/x"}, {"tail", "kafka://h:1"}, {"tail", "mqtt://h:1"}, {"dev", "--kafka-listen", "9092"},
		{"dev", "--webhook-listen", ""}} {
		if status, _, stderr := runKeg(t, nil, args...); status != exitUsage || stderr == "" {
			t.Errorf("%v: %d %q", args, status, stderr)
		}
	}
}

func TestHelpTeaches(t *testing.T) {
	status, stdout, _ := runKeg(t, nil, "help", "environment")
	for _, v := range environment {
		if !strings.Contains(stdout, v.name) {
			t.Errorf("exit status %d: no %s in\n%s", status, v.name, stdout)
		}
	}
	if status, stdout, _ := runKeg(t, nil, "version", "--output", "json"); status != 0 || !json.Valid([]byte(stdout)) {
		t.Errorf("%d %s", status, stdout)
	}
}
