package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask sends a request to the Admin API and returns the status and the body.
func (s *started) ask(t *testing.T, method, path, contentType, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+s.admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get("Server"); got != "kong/3.9.1" {
		t.Errorf("%s %s: Server is %q", method, path, got)
	}
	return response.StatusCode, string(text)
}

func sameJSON(t *testing.T, what, want, got string) {
	t.Helper()
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v in %s", what, err, want)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%s: %v in %s", what, err, got)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s: recorded -, seen +:\n%s", what, diff)
	}
}

// TestAdminAPIAsRecorded holds the Admin API to recording 39, line by line.
func TestAdminAPIAsRecorded(t *testing.T) {
	s := newStage(t, probeConfig("n1"), Options{})
	g := s.gateway
	text, err := os.ReadFile("testdata/39-bad-config-and-validate.http.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")

	refused := func(config string) string {
		body, _ := json.Marshal(map[string]string{"config": config})
		status, answer := g.ask(t, "POST", "/config", "application/json", string(body))
		if status != http.StatusBadRequest {
			t.Errorf("status %d for %s", status, config)
		}
		return answer
	}
	with := func(config string) string {
		return "_format_version: '3.0'\nservices:\n- name: probe\n  url: http://127.0.0.1:1\n  routes:\n  - name: hello\n    paths: [/hello]\n    plugins: [{name: go-probe, config: " + config + "}]\n"
	}
	sameJSON(t, "unknown field in /config", lines[1], refused(with("{nosuchfield: 1}")))
	sameJSON(t, "wrong type in /config", lines[2], refused(with("{mode: 12}")))

	validated := 0
	for i, line := range lines {
		body, answer, found := line, "", false
		if i+1 < len(lines) {
			answer, _, found = strings.Cut(lines[i+1], " -> ")
		}
		if !found || !strings.HasPrefix(body, `{"name"`) {
			continue
		}
		validated++
		wantStatus := http.StatusBadRequest
		if strings.HasSuffix(lines[i+1], " 200") {
			wantStatus = http.StatusOK
		}
		status, got := g.ask(t, "POST", "/schemas/plugins/validate", "application/json", body)
		if status != wantStatus {
			t.Errorf("%s: status %d, recorded %d", body, status, wantStatus)
		}
		sameJSON(t, body, answer, got)
	}
	if validated != 9 {
		t.Errorf("the recording has %d validations", validated)
	}

	for i, line := range lines {
		if line == "GET /schemas/plugins/go-probe" {
			_, got := g.ask(t, "GET", "/schemas/plugins/go-probe", "", "")
			sameJSON(t, line, lines[i+1], got)
		}
	}
	// The first entity of the recorded list of plugins; the rest is cut off.
	recorded := lines[len(lines)-1]
	recorded, _, _ = strings.Cut(strings.TrimPrefix(recorded, `{"data":[`), `},{"route"`)
	var want map[string]any
	if err := json.Unmarshal([]byte(recorded+"}"), &want); err != nil {
		t.Fatal(err)
	}
	status, got := g.ask(t, "GET", "/plugins/"+want["id"].(string), "", "")
	if status != http.StatusOK {
		t.Fatalf("the recorded plugin has another id here: %s", got)
	}
	var seen map[string]any
	if err := json.Unmarshal([]byte(got), &seen); err != nil {
		t.Fatal(err)
	}
	for _, entity := range []map[string]any{want, seen} {
		delete(entity, "created_at")
		delete(entity, "updated_at")
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("plugin: recorded -, seen +:\n%s", diff)
	}
}

func TestAdminAPI(t *testing.T) {
	s := newStage(t, probeConfig("n1"), Options{})
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		has                      string
	}{
		{"the node says that it is a stand-in", "GET", "/", "", 200, `stand-in for Kong 3.9.1, for development and tests`},
		{"the node is well", "GET", "/status", "", 200, `"reachable":true`},
		{"services are listed", "GET", "/services", "", 200, `"next":null`},
		{"a service by its name", "GET", "/services/probe", "", 200, `"id":"f98a2790-f3e5-5434-8f1a-f0d213d26ecc"`},
		{"a service by its id", "GET", "/services/f98a2790-f3e5-5434-8f1a-f0d213d26ecc", "", 200, `"name":"probe"`},
		{"the routes of a service", "GET", "/services/probe/routes", "", 200, `"name":"hello"`},
		{"a route by its name", "GET", "/routes/hello", "", 200, `"id":"a8471fc8-50df-5906-8672-446cbaf9c4e9"`},
		{"the plugins of a route", "GET", "/routes/hello/plugins", "", 200, `"id":"25a256a0-524e-5433-93a3-a8ac5a01e22d"`},
		{"the service of a route", "GET", "/routes/hello/service", "", 200, `"name":"probe"`},
		{"a service that is not there", "GET", "/services/nobody", "", 404, `{"message":"Not found"}`},
		{"a path that is not there", "GET", "/nowhere", "", 404, `{"message":"Not found"}`},
		{"a path below an entity that is not there", "GET", "/routes/hello/plugins/x", "", 404, `{"message":"Not found"}`},
		{"a plugin that is not there", "GET", "/schemas/plugins/nosuch", "", 404, `No plugin named 'nosuch'`},
		{"entities cannot be made one by one", "POST", "/services", `{"host":"h"}`, 405, `cannot create 'services' entities when not using a database`},
		{"nor removed", "DELETE", "/routes/a8471fc8-50df-5906-8672-446cbaf9c4e9", "", 405, `cannot remove 'routes' entities when not using a database`},
		{"nor by their names", "DELETE", "/routes/hello", "", 405, `cannot remove 'routes' entities by 'name' when not using a database`},
		{"a wrong method", "DELETE", "/status", "", 405, `{"message":"Method not allowed"}`},
		{"a configuration that is no YAML", "POST", "/config", `{"config":"a: ["}`, 400, `failed parsing declarative configuration`},
		{"no configuration", "POST", "/config", ``, 400, `expected a declarative configuration`},
		{"an expression that the router cannot read", "POST", "/config", `{"config":"_format_version: '3.0'\nroutes: [{paths: ['~/(?=x)']}]"}`, 400, `RE2`},
		{"validation of what is no JSON", "POST", "/schemas/plugins/validate", `{"name":`, 400, `Cannot parse JSON body`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := s.gateway.ask(t, c.method, c.path, "application/json", c.body)
			if status != c.status || !strings.Contains(body, c.has) {
				t.Errorf("%d %s, want %d with %s", status, body, c.status, c.has)
			}
		})
	}
}

func TestConfigIsTakenInEveryForm(t *testing.T) {
	const config = "_format_version: '3.0'\nroutes: [{name: NAME, paths: [/x]}]\n"
	g := start(t, Options{Config: []byte(config)})
	for name, c := range map[string]struct{ contentType, body string }{
		"yaml": {"text/yaml", strings.Replace(config, "NAME", "yaml", 1)},
		"json": {"application/json", `{"_format_version":"3.0","routes":[{"name":"json","paths":["/x"]}]}`},
		"text": {"application/json", `{"config":"_format_version: '3.0'\nroutes: [{name: text, paths: [/x]}]"}`},
		"form": {"application/x-www-form-urlencoded", "config=_format_version%3A+%273.0%27%0Aroutes%3A+%5B%7Bname%3A+form%2C+paths%3A+%5B%2Fx%5D%7D%5D"},
		"file": {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"config\"; filename=\"kong.yml\"\r\n\r\n" + strings.Replace(config, "NAME", "file", 1) + "\r\n--b--\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := g.ask(t, "POST", "/config", c.contentType, c.body); status != http.StatusCreated {
				t.Fatalf("%d %s", status, body)
			}
			if status, body := g.ask(t, "GET", "/routes/"+name, "", ""); status != http.StatusOK {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestTheSameConfigIsNotTakenTwiceWhereItsHashIsChecked(t *testing.T) {
	g := start(t, Options{Config: []byte("_format_version: '3.0'"), AdminWritable: true})
	const config = `{"config":"_format_version: '3.0'\nroutes: [{name: r, paths: [/x]}]"}`
	post := func(query string, want int) {
		t.Helper()
		if status, body := g.ask(t, "POST", "/config"+query, "application/json", config); status != want {
			t.Errorf("POST /config%s: %d %s, want %d", query, status, body, want)
		}
	}
	post("?check_hash=1", http.StatusCreated)
	post("?check_hash=1", http.StatusNotModified)
	post("?check_hash=true", http.StatusNotModified)
	post("", http.StatusCreated)
	post("?check_hash=0", http.StatusCreated)
	g.does(t, "DELETE", "/routes/r", "", http.StatusNoContent) // now it is another one
	post("?check_hash=1", http.StatusCreated)
	g.does(t, "GET", "/routes/r", "", http.StatusOK)
}
