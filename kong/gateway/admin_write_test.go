package gateway

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const (
	someID  = "11111111-1111-4111-8111-111111111111"
	otherID = "22222222-2222-4222-8222-222222222222"
)

// writable is a gateway with nothing but what tests put into it.
func writable(t *testing.T) *started {
	t.Helper()
	return start(t, Options{Config: []byte("_format_version: '3.0'"), AdminWritable: true})
}

// does sends JSON, wants a status, and returns the body.
func (s *started) does(t *testing.T, method, path, body string, status int) map[string]any {
	t.Helper()
	got, text := s.ask(t, method, path, "application/json", body)
	if got != status {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, got, text, status)
	}
	if text == "" {
		return nil
	}
	var entity map[string]any
	if err := json.Unmarshal([]byte(text), &entity); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return entity
}

// TestRefusalsOfEntities holds the bodies of Kong's errors, each to the letter.
func TestRefusalsOfEntities(t *testing.T) {
	g := writable(t)
	g.does(t, "PUT", "/services/"+someID, `{"name":"shop","host":"h"}`, 200)
	g.does(t, "POST", "/routes", `{"name":"orders","paths":["/o"],"service":{"id":"`+someID+`"}}`, 201)
	g.does(t, "POST", "/plugins", `{"name":"request-termination","service":{"id":"`+someID+`"},"instance_name":"stop"}`, 201)
	g.does(t, "POST", "/consumers", `{"username":"ann","custom_id":"7"}`, 201)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		answer                   string
	}{
		{"what is required", "POST", "/services", `{}`, 400,
			`{"code":2,"name":"schema violation","fields":{"host":"required field missing"},"message":"schema violation (host: required field missing)"}`},
		{"two problems", "POST", "/services", `{"name":"a b","port":99999,"host":"h"}`, 400,
			`{"code":2,"name":"schema violation","fields":{"name":"invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~","port":"value should be between 0 and 65535"},"message":"2 schema violations (name: invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~; port: value should be between 0 and 65535)"}`},
		{"an unknown field", "PATCH", "/services/shop", `{"hots":"x"}`, 400,
			`{"code":2,"name":"schema violation","fields":{"hots":"unknown field"},"message":"schema violation (hots: unknown field)"}`},
		{"a path", "POST", "/routes", `{"paths":["x"]}`, 400,
			`{"code":2,"name":"schema violation","fields":{"paths":["should start with: / (fixed path) or ~/ (regex path)"]},"message":"schema violation (paths.1: should start with: / (fixed path) or ~/ (regex path))"}`},
		{"a route that takes nothing", "POST", "/routes", `{"protocols":["http"]}`, 400,
			`{"code":2,"name":"schema violation","fields":{"@entity":["must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http'"]},"message":"schema violation (must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http')"}`},
		{"a tag", "POST", "/services", `{"host":"h","tags":["a,b"]}`, 400,
			`{"code":2,"name":"schema violation","fields":{"tags":["invalid tag 'a,b': expected printable ascii (except ` + "`,` and `/`" + `) or valid utf-8 sequences"]},"message":"schema violation (tags.1: invalid tag 'a,b': expected printable ascii (except ` + "`,` and `/`" + `) or valid utf-8 sequences)"}`},
		{"a nobody", "POST", "/consumers", `{}`, 400,
			`{"code":2,"name":"schema violation","fields":{"@entity":["at least one of these fields must be non-empty: 'custom_id', 'username'"]},"message":"schema violation (at least one of these fields must be non-empty: 'custom_id', 'username')"}`},
		{"a plugin that is not there", "POST", "/plugins", `{"name":"nosuch"}`, 400,
			`{"code":2,"name":"schema violation","fields":{"name":"plugin 'nosuch' not enabled; add it to the 'plugins' configuration property"},"message":"schema violation (name: plugin 'nosuch' not enabled; add it to the 'plugins' configuration property)"}`},
		{"a plugin's config", "PATCH", "/plugins/stop", `{"config":{"status_code":7}}`, 400,
			`{"code":2,"name":"schema violation","fields":{"config":{"status_code":"value should be between 100 and 599"}},"message":"schema violation (config.status_code: value should be between 100 and 599)"}`},
		{"an id that is none", "POST", "/routes", `{"paths":["/x"],"service":{"id":"x"}}`, 400,
			`{"code":2,"name":"schema violation","fields":{"service":{"id":"expected a valid UUID"}},"message":"schema violation (service.id: expected a valid UUID)"}`},
		{"an id that is there", "POST", "/services", `{"id":"` + someID + `","host":"h"}`, 400,
			`{"code":3,"name":"primary key violation","fields":{"id":"` + someID + `"},"message":"primary key violation on key '{id=\"` + someID + `\"}'"}`},
		{"a service that is not there", "POST", "/routes", `{"paths":["/x"],"service":{"id":"` + otherID + `"}}`, 400,
			`{"code":4,"name":"foreign key violation","fields":{"service":{"id":"` + otherID + `"}},"message":"the foreign key '{id=\"` + otherID + `\"}' does not reference an existing 'services' entity."}`},
		{"a service that has routes", "DELETE", "/services/shop", ``, 400,
			`{"code":4,"name":"foreign key violation","fields":{"@referenced_by":"routes"},"message":"an existing 'routes' entity references this 'services' entity"}`},
		{"a name that is taken", "POST", "/services", `{"name":"shop","host":"h"}`, 409,
			`{"code":5,"name":"unique constraint violation","fields":{"name":"shop"},"message":"UNIQUE violation detected on '{name=\"shop\"}'"}`},
		{"a custom id that is taken", "POST", "/consumers", `{"username":"bob","custom_id":"7"}`, 409,
			`{"code":5,"name":"unique constraint violation","fields":{"custom_id":"7"},"message":"UNIQUE violation detected on '{custom_id=\"7\"}'"}`},
		{"a plugin that is applied there", "POST", "/services/shop/plugins", `{"name":"request-termination"}`, 409,
			`{"code":5,"name":"unique constraint violation","fields":{"consumer":null,"name":"request-termination","route":null,"service":{"id":"` + someID + `"}},"message":"UNIQUE violation detected on '{consumer=null,name=\"request-termination\",route=null,service={id=\"` + someID + `\"}}'"}`},
		{"an id of nothing", "PATCH", "/services/" + otherID, `{}`, 404,
			`{"code":6,"name":"not found","fields":{"id":"` + otherID + `"},"message":"could not find the entity with primary key '{id=\"` + otherID + `\"}'"}`},
		{"a name of nothing", "PATCH", "/services/nobody", `{}`, 404,
			`{"code":6,"name":"not found","fields":{"name":"nobody"},"message":"could not find the entity with '{name=\"nobody\"}'"}`},
		{"a plugin of nothing", "PATCH", "/plugins/" + otherID, `{}`, 404, `{"message":"Not found"}`},
		{"a route's plugin that is another's", "GET", "/routes/orders/plugins/stop", ``, 404, `{"message":"Not found"}`},
		{"a route's plugin that is another's, removed", "DELETE", "/routes/orders/plugins/stop", ``, 404, `{"message":"Not found"}`},
		{"an offset", "GET", "/services?offset=!", ``, 400,
			`{"code":7,"name":"invalid offset","message":"'!' is not a valid offset: bad base64 encoding"}`},
		{"a size that is no number", "GET", "/services?size=x", ``, 400,
			`{"code":9,"name":"invalid size","message":"size must be a number"}`},
		{"a size", "GET", "/services?size=1001", ``, 400,
			`{"code":9,"name":"invalid size","message":"size must be an integer between 1 and 1000"}`},
		{"a name that can be none", "GET", "/services/a%20b", ``, 400,
			`{"code":10,"name":"invalid unique name","message":"invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~"}`},
		{"a filter by tags", "GET", "/services?tags=a,b/c", ``, 400,
			`{"code":11,"name":"invalid options","options":{"tags":"invalid filter syntax"},"message":"invalid option (tags: invalid filter syntax)"}`},
		{"a service's name that is not there", "POST", "/routes", `{"paths":["/x"],"service":{"name":"nobody"}}`, 400,
			`{"code":13,"name":"foreign keys unresolved","fields":{"service":{"name":"the foreign key cannot be resolved with '{name=\"nobody\"}' for an existing 'services' entity"}},"message":"foreign key unresolved (service.name: the foreign key cannot be resolved with '{name=\"nobody\"}' for an existing 'services' entity)"}`},
		{"a service's name that can be none", "POST", "/routes", `{"methods":["GET"],"regex_priority":"x","service":{"name":"\\o/"}}`, 400,
			`{"code":2,"name":"schema violation","fields":{"regex_priority":"expected an integer","service":{"name":"invalid value '\\o/': the only accepted ascii characters are alphanumerics or ., -, _, and ~"}},"message":"2 schema violations (regex_priority: expected an integer; service.name: invalid value '\\o/': the only accepted ascii characters are alphanumerics or ., -, _, and ~)"}`},
		{"a service without a key", "POST", "/routes", `{"methods":["GET"],"service":{"name":null}}`, 400,
			`{"code":2,"name":"schema violation","fields":{"service":{"id":"missing primary key"}},"message":"schema violation (service.id: missing primary key)"}`},
		{"an expression of Perl's", "POST", "/routes", `{"paths":["~/(?=x)"],"name":"perl"}`, 400,
			`{"code":2,"name":"schema violation","fields":{"@entity":["route perl: path ~/(?=x): the stand-in reads RE2 expressions: error parsing regexp: invalid or unsupported Perl syntax: ` + "`(?=`" + `"]},"message":"schema violation (route perl: path ~/(?=x): the stand-in reads RE2 expressions: error parsing regexp: invalid or unsupported Perl syntax: ` + "`(?=`" + `)"}`},
		{"what is no JSON", "POST", "/services", `{"name":`, 400, `{"message":"Cannot parse JSON body"}`},
		{"JSON that is no record", "POST", "/services", `[1]`, 400, `{"message":"Cannot parse JSON body"}`},
		{"JSON that is nothing", "POST", "/services", `null`, 400, `{"message":"Cannot parse JSON body"}`},
		{"a wrong method", "PATCH", "/services", `{}`, 405, `{"message":"Method not allowed"}`},
		{"a service is not removed by its route", "DELETE", "/routes/orders/service", ``, 405, `{"message":"Method not allowed"}`},
		{"a kind that is not here", "POST", "/upstreams", `{"name":"u"}`, 405,
			`{"code":12,"name":"operation unsupported","message":"'upstreams' entities are not supported by this stand-in for Kong; Kong itself has it"}`},
		{"a kind that Kong has not either", "GET", "/consumer_groups", ``, 404, `{"message":"Not found"}`},
		{"a kind below one that does not point to it", "GET", "/consumers/ann/routes", ``, 404, `{"message":"Not found"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := g.ask(t, c.method, c.path, "application/json", c.body)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			sameJSON(t, c.path, c.answer, body)
		})
	}
	t.Run("none of them has changed anything", func(t *testing.T) {
		for path, n := range map[string]int{"/services": 1, "/routes": 1, "/plugins": 1, "/consumers": 1} {
			if list := g.does(t, "GET", path, "", 200)["data"].([]any); len(list) != n {
				t.Errorf("%s: %v", path, list)
			}
		}
	})
	t.Run("a body without bounds", func(t *testing.T) {
		body := `{"host":"` + strings.Repeat("h", maxAdminBody) + `"}`
		if status, answer := g.ask(t, "POST", "/services", "application/json", body); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d %s", status, answer)
		}
	})
	t.Run("a body of an unknown type", func(t *testing.T) {
		if status, answer := g.ask(t, "POST", "/services", "text/yaml", "host: h"); status != http.StatusUnsupportedMediaType || answer != "" {
			t.Errorf("%d %s", status, answer)
		}
	})
}

func TestEntitiesAsKongShowsThem(t *testing.T) {
	g := writable(t)
	times := regexp.MustCompile(`"(created|updated)_at":\d{10}`)
	shows := func(method, path, body, want string) {
		t.Helper()
		_, got := g.ask(t, method, path, "application/json", body)
		got = times.ReplaceAllString(got, `"${1}_at":1`)
		sameJSON(t, method+" "+path, want, got)
	}
	shows("PUT", "/services/"+someID, `{"url":"https://h.example/base","name":"shop","tags":["a"]}`,
		`{"id":"`+someID+`","name":"shop","protocol":"https","host":"h.example","port":443,"path":"/base","retries":5,"connect_timeout":60000,
		"write_timeout":60000,"read_timeout":60000,"tags":["a"],"enabled":true,"created_at":1,"updated_at":1,
		"client_certificate":null,"tls_verify":null,"tls_verify_depth":null,"ca_certificates":null}`)
	shows("PUT", "/services/shop/routes/"+otherID, `{"paths":["/o"]}`,
		`{"id":"`+otherID+`","name":null,"protocols":["http","https"],"methods":null,"hosts":null,"paths":["/o"],"headers":null,"snis":null,
		"sources":null,"destinations":null,"https_redirect_status_code":426,"regex_priority":0,"strip_path":true,"path_handling":"v0",
		"preserve_host":false,"request_buffering":true,"response_buffering":true,"tags":null,"service":{"id":"`+someID+`"},"created_at":1,"updated_at":1}`)
	shows("PUT", "/consumers/"+someID, `{"username":"ann"}`,
		`{"id":"`+someID+`","username":"ann","custom_id":null,"tags":null,"created_at":1,"updated_at":1}`)
	shows("PUT", "/routes/"+otherID+"/plugins/"+someID, `{"name":"request-termination","config":{"message":"no"}}`,
		`{"id":"`+someID+`","name":"request-termination","instance_name":null,"protocols":["grpc","grpcs","http","https"],"enabled":true,"tags":null,
		"service":null,"route":{"id":"`+otherID+`"},"consumer":null,"created_at":1,"updated_at":1,
		"config":{"status_code":503,"message":"no","content_type":null,"body":null,"echo":false,"trigger":null}}`)
	t.Run("a change keeps what it does not name, a PUT does not", func(t *testing.T) {
		g.does(t, "PATCH", "/plugins/"+someID, `{"config":{"status_code":418},"tags":["t"]}`, 200)
		config := g.does(t, "GET", "/plugins/"+someID, "", 200)["config"].(map[string]any)
		if config["status_code"] != 418.0 || config["message"] != "no" {
			t.Errorf("after PATCH: %v", config)
		}
		again := g.does(t, "PUT", "/plugins/"+someID, `{"name":"request-termination"}`, 200)
		if config := again["config"].(map[string]any); config["status_code"] != 503.0 || config["message"] != nil || again["tags"] != nil || again["route"] != nil {
			t.Errorf("after PUT: %v", again)
		}
	})
	t.Run("a field that is set to null has no value, if it may", func(t *testing.T) {
		g.does(t, "PATCH", "/services/shop", `{"retries":9}`, 200)
		if s := g.does(t, "PATCH", "/services/shop", `{"retries":null,"tags":null}`, 200); s["retries"] != nil || s["tags"] != nil {
			t.Errorf("%v", s)
		}
		for path, body := range map[string]string{
			"/services/shop": `{"host":null}`, "/routes/" + otherID: `{"strip_path":null}`, "/plugins/" + someID: `{"config":{"status_code":null}}`,
		} {
			if e := g.does(t, "PATCH", path, body, 400); !strings.Contains(e["message"].(string), ": required field missing)") {
				t.Errorf("%s: %v", body, e)
			}
		}
	})
	t.Run("a PUT by name", func(t *testing.T) {
		first := g.does(t, "PUT", "/services/new", `{"host":"h"}`, 200)
		second := g.does(t, "PUT", "/services/new", `{"host":"i"}`, 200)
		if first["id"] != second["id"] || second["name"] != "new" || second["host"] != "i" {
			t.Errorf("%v, then %v", first, second)
		}
	})
	t.Run("a route's service that is not there yet", func(t *testing.T) {
		g.does(t, "PUT", "/routes/lone", `{"paths":["/lone"]}`, 200)
		g.does(t, "GET", "/routes/lone/service", "", 404)
		made := g.does(t, "PUT", "/routes/lone/service", `{"host":"h","name":"made"}`, 200)
		g.does(t, "PATCH", "/routes/lone/service", `{"port":81}`, 200)
		if got := g.does(t, "GET", "/routes/lone/service", "", 200); got["id"] != made["id"] || got["port"] != 81.0 {
			t.Errorf("%v", got)
		}
	})
	t.Run("what points to an entity goes with it", func(t *testing.T) {
		g.does(t, "POST", "/consumers/ann/plugins", `{"name":"request-termination"}`, 201)
		g.does(t, "DELETE", "/consumers/ann", "", 204)
		g.does(t, "DELETE", "/consumers/ann", "", 204)
		if list := g.does(t, "GET", "/plugins", "", 200)["data"].([]any); len(list) != 1 {
			t.Errorf("%v", list)
		}
	})
}
