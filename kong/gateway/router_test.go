package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kong/keg/kong/gateway/declarative"
)

// routerOf makes a router of routes in YAML.
func routerOf(t testing.TB, routes string) *router {
	t.Helper()
	l := &declarative.Loader{}
	c, err := l.Load([]byte("_format_version: '3.0'\nservices: [{name: off, host: h, enabled: false}]\nroutes:\n" + routes))
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRouter(c.Routes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRoutes(t *testing.T) {
	for _, c := range []struct{ name, routes, request, route string }{
		{"a prefix", `- {name: a, paths: [/a]}`, "GET h /abc", "a"},
		{"no prefix", `- {name: a, paths: [/a]}`, "GET h /b", ""},
		{"the longer prefix", "- {name: short, paths: [/a]}\n- {name: long, paths: [/a/b]}", "GET h /a/b/c", "long"},
		{"the longer of several paths", "- {name: a, paths: [/x, /a/b]}\n- {name: b, paths: [/a]}", "GET h /a/b", "a"},
		{"a regular expression before a prefix", "- {name: prefix, paths: [/a/b/c/d]}\n- {name: regex, paths: ['~/a/.*']}", "GET h /a/b/c/d", "regex"},
		{"a regular expression begins at the beginning", "- {name: a, paths: ['~/b$']}", "GET h /a/b", ""},
		{"regex_priority", "- {name: long, paths: ['~/a/[a-z]+/[a-z]+']}\n- {name: first, paths: ['~/a/.*'], regex_priority: 1}", "GET h /a/b/c", "first"},
		{"more kinds of criteria", "- {name: path, paths: [/a/b]}\n- {name: both, paths: [/a], methods: [GET]}", "GET h /a/b", "both"},
		{"the method", "- {name: post, paths: [/a], methods: [POST]}\n- {name: any, paths: [/a]}", "GET h /a", "any"},
		{"a host", "- {name: host, hosts: [shop.example]}", "GET shop.example /", "host"},
		{"a host in any case", "- {name: host, hosts: [Shop.Example]}", "GET SHOP.example:8000 /", "host"},
		{"a host with its port", "- {name: host, hosts: ['shop.example:8000']}", "GET shop.example:8000 /", "host"},
		{"a host with another port", "- {name: host, hosts: ['shop.example:9000']}", "GET shop.example:8000 /", ""},
		{"a wildcard on the left", "- {name: wild, hosts: ['*.example']}", "GET a.b.example /", "wild"},
		{"a wildcard is more than nothing", "- {name: wild, hosts: ['*.example']}", "GET example /", ""},
		{"a wildcard on the right", "- {name: wild, hosts: ['shop.*']}", "GET shop.example /", "wild"},
		{"a plain host before a wildcard", "- {name: wild, hosts: ['*.example']}\n- {name: plain, hosts: [a.example]}", "GET a.example /", "plain"},
		{"a header", "- {name: beta, paths: [/], headers: {x-version: [beta, canary]}}\n- {name: all, paths: [/]}", "GET h / x-version=Canary", "beta"},
		{"another header", "- {name: beta, paths: [/], headers: {x-version: [beta]}}\n- {name: all, paths: [/]}", "GET h / x-version=1", "all"},
		{"a header by an expression", "- {name: beta, headers: {x-version: ['~*^b']}}", "GET h / x-version=Beta", "beta"},
		{"more headers", "- {name: one, headers: {a: [x]}}\n- {name: two, headers: {a: [x], b: [y]}}", "GET h / a=x b=y", "two"},
		{"equals go by the file", "- {name: first, paths: [/a]}\n- {name: second, paths: [/a]}", "GET h /a", "first"},
		{"a service that is off", "- {name: a, paths: [/a], service: off}", "GET h /a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, host, path, headers := parseRequest(c.request)
			got := ""
			if m := routerOf(t, c.routes).find(method, host, path, headers); m != nil {
				got = m.route.Name
			}
			if got != c.route {
				t.Errorf("%s goes to %q, want %q", c.request, got, c.route)
			}
		})
	}
}

// parseRequest reads "METHOD HOST PATH NAME=VALUE…".
func parseRequest(text string) (method, host, path string, headers fields) {
	words := strings.Fields(text)
	for _, w := range words[3:] {
		name, value, _ := strings.Cut(w, "=")
		headers.add(name, value)
	}
	return words[0], words[1], words[2], headers
}

func TestCapturesAndWhatIsStripped(t *testing.T) {
	m := routerOf(t, `- {name: a, paths: ['~/(?<kind>[a-z]+)/(\d+)']}`).find("GET", "h", "/order/12/rest", nil)
	if m == nil || m.prefix != "/order/12" || m.named["kind"] != "order" || m.unnamed[2] != "12" {
		t.Errorf("%+v", m)
	}
}

func TestNormalize(t *testing.T) {
	for path, want := range map[string]string{
		"/":                "/",
		"":                 "/",
		"/a/b/":            "/a/b/",
		"//a///b":          "/a/b",
		"/a/./b/../c":      "/a/c",
		"/../../etc":       "/etc",
		"/a/..":            "/",
		"/a/b/.":           "/a/b/",
		"/a/b/..":          "/a/",
		"/%61%2Fb%20c":     "/a%2Fb%20c",
		"/%7euser/%2e%2e/": "/",
		"/50%":             "/50%",
		"/%zz":             "/%zz",
		"/%c3%a9":          "/%C3%A9",
	} {
		if got := normalize(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestUpstreamPath(t *testing.T) {
	for _, c := range []struct {
		base, path, prefix string
		strip              bool
		want               string
	}{
		{"", "/a/b", "/a", true, "/b"},
		{"", "/a", "/a", true, "/"},
		{"", "/a/b", "/a", false, "/a/b"},
		{"", "/ab", "/a", true, "/b"},
		{"/s", "/a/b", "/a", true, "/s/b"},
		{"/s", "/a", "/a", true, "/s"},
		{"/s", "/a/", "/a", true, "/s/"},
		{"/s", "/ab", "/a", true, "/s/b"},
		{"/s/", "/a/b", "/a", true, "/s/b"},
		{"/s", "/a/b", "/a", false, "/s/a/b"},
		{"/", "/a/b", "/a", true, "/b"},
		{"/s", "/a/b", "/", true, "/s/a/b"},
	} {
		if got := upstreamPath(c.base, c.path, c.prefix, c.strip); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	routes := ""
	for i := range 100 {
		routes += fmt.Sprintf("- {name: r%d, paths: [/r%d]}\n", i, i)
	}
	r := routerOf(b, routes)
	b.ReportAllocs()
	for b.Loop() {
		if r.find("GET", "h", "/r50/x", nil) == nil {
			b.Fatal("not found")
		}
	}
}
