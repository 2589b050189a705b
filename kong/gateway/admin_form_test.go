package gateway

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormsMakeEntities(t *testing.T) {
	g := writable(t)
	form := func(method, path, body string, status int) map[string]any {
		t.Helper()
		got, text := g.ask(t, method, path, "application/x-www-form-urlencoded", body)
		if got != status {
			t.Fatalf("%s %s: %d %s, want %d", path, body, got, text, status)
		}
		var entity map[string]any
		if err := json.Unmarshal([]byte(text), &entity); err != nil {
			t.Fatal(err)
		}
		return entity
	}
	if s := form("POST", "/services", "name=shop&url=http://h:81/b&retries=3&tags=one", 201); s["retries"] != 3.0 || s["port"] != 81.0 || fmt.Sprint(s["tags"]) != "[one]" {
		t.Errorf("%v", s)
	}
	if r := form("POST", "/routes", "name=r&paths[]=/a&paths[]=/b&hosts[2]=two&hosts[1]=one&strip_path=false&service.name=shop&headers.x-a=1&headers.x-a=2", 201); fmt.Sprint(r["paths"]) != "[/a /b]" ||
		fmt.Sprint(r["hosts"]) != "[one two]" || r["strip_path"] != false || r["service"] == nil || fmt.Sprint(r["headers"]) != "map[x-a:[1 2]]" {
		t.Errorf("%v", r)
	}
	p := form("POST", "/routes/r/plugins", "name=request-termination&config.status_code=404&config.echo=true", 201)
	if c := p["config"].(map[string]any); c["status_code"] != 404.0 || c["echo"] != true {
		t.Errorf("%v", c)
	}
	p = form("PATCH", "/plugins/"+p["id"].(string), "config.status_code=405&config.message=", 200)
	if c := p["config"].(map[string]any); c["status_code"] != 405.0 || c["echo"] != true || c["message"] != nil {
		t.Errorf("%v", c)
	}
	if e := form("POST", "/services", "host=h&port=many", 400); e["message"] != "schema violation (port: expected an integer)" {
		t.Errorf("%v", e)
	}
	for _, body := range []string{"a[=1", "a.=1&.b=2", "a=1&a.b=2", "a[0]=x", "a[99999999999999999999]=x", "%zz=1", "a=1&a[]=2", "a[]=1&a[1]=2", ".a=1", "a.=1", "a.b=1&a=2", strings.Repeat("x=1&", 10) + "a.b=1&a=2"} {
		if status, text := g.ask(t, "POST", "/services", "application/x-www-form-urlencoded", body); status != 400 {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	status, text := g.ask(t, "POST", "/consumers", "multipart/form-data; boundary=b",
		"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nann\r\n--b--\r\n")
	if status != 201 || !strings.Contains(text, `"username":"ann"`) {
		t.Errorf("%d %s", status, text)
	}
}

// FuzzFormValues: whatever a form says, it is refused, or it is a record whose
// leaves are texts and lists of texts, and the same each time.
func FuzzFormValues(f *testing.F) {
	for _, seed := range []string{"a=1", "a.b.c=1&a.b.d[]=2", "a[2]=x&a[1]=y", "a=1&a=2", "a[=1", "a.=1", "=1", "a[]=1&a[1]=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		form, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		first, err := formValues(form)
		if err != nil {
			return
		}
		second, _ := formValues(form)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("one time -, another +:\n%s", diff)
		}
		var walk func(value any)
		walk = func(value any) {
			switch v := value.(type) {
			case map[string]any:
				for _, item := range v {
					walk(item)
				}
			case []any:
				for _, item := range v {
					if _, ok := item.(string); !ok {
						t.Errorf("an item of a list is %T", item)
					}
				}
			case string:
			default:
				t.Errorf("a leaf is %T", value)
			}
		}
		walk(first)
	})
}
