package gateway

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/kong/keg/kong/gateway/declarative"
)

// router finds the route of a request, as Kong's traditional_compatible router
// does: of all routes that match, the one with the most kinds of criteria
// (methods, hosts, paths, headers) wins; then plain hosts before wildcards, more
// headers, a regular expression before a prefix, regex_priority, the longer
// path. Each path of a route counts by itself. What is still equal goes by
// the order of the file.
type router struct{ entries []*entry }

// entry is one route with one of its paths.
type entry struct {
	route   *declarative.Route
	hosts   []host
	headers []headerMatch
	prefix  string
	regex   *regexp.Regexp
	weight  weight
}

type host struct {
	name         string // without its wildcard: ".example.com", "example."
	port         string
	suffix, left bool // *.example.com; example.*
}

type headerMatch struct {
	name   string
	values []string
	regex  *regexp.Regexp
}

// weight is what decides between routes that match, the first difference first.
type weight [6]int

// match is a route that was found, and how.
type match struct {
	route   *declarative.Route
	prefix  string // what strip_path takes away
	unnamed []string
	named   map[string]string
}

func newRouter(routes []*declarative.Route) (*router, error) {
	r := &router{}
	for _, route := range routes {
		if route.Service != nil && !route.Service.Enabled {
			continue
		}
		paths := route.Paths
		if len(paths) == 0 {
			paths = []string{""}
		}
		for _, path := range paths {
			e, err := newEntry(route, path)
			if err != nil {
				return nil, fmt.Errorf("route %s: %w", label(route), err)
			}
			r.entries = append(r.entries, e)
		}
	}
	slices.SortStableFunc(r.entries, func(a, b *entry) int { return slices.Compare(b.weight[:], a.weight[:]) })
	return r, nil
}

func newEntry(route *declarative.Route, path string) (*entry, error) {
	e := &entry{route: route}
	kinds := 0
	count := func(n int) {
		if n > 0 {
			kinds++
		}
	}
	count(len(route.Methods))
	count(len(route.Hosts))
	count(len(route.Paths))
	count(len(route.Headers))
	plainHosts := 0
	if len(route.Hosts) > 0 {
		plainHosts = 1
	}
	for _, text := range route.Hosts {
		h := parseHost(text)
		if h.suffix || h.left {
			plainHosts = 0
		}
		e.hosts = append(e.hosts, h)
	}
	for name, values := range route.Headers {
		h := headerMatch{name: name, values: values}
		if len(values) == 1 && strings.HasPrefix(values[0], "~*") {
			re, err := regexp.Compile("(?i)" + values[0][2:])
			if err != nil {
				return nil, fmt.Errorf("header %s: %w", name, err)
			}
			h.regex = re
		}
		e.headers = append(e.headers, h)
	}
	isRegex := 0
	if strings.HasPrefix(path, "~") {
		re, err := regexp.Compile("^(?:" + strings.TrimPrefix(path[1:], "^") + ")")
		if err != nil {
			return nil, fmt.Errorf("path %s: the stand-in reads RE2 expressions: %w", path, err)
		}
		e.regex, isRegex = re, 1
	} else {
		e.prefix = path
	}
	e.weight = weight{kinds, plainHosts, min(len(route.Headers), 255), isRegex, route.RegexPriority * isRegex, len(path)}
	return e, nil
}

func parseHost(text string) host {
	h := host{name: strings.ToLower(text)}
	if name, port, err := net.SplitHostPort(h.name); err == nil {
		h.name, h.port = name, port
	}
	switch {
	case strings.HasPrefix(h.name, "*"):
		h.name, h.suffix = h.name[1:], true
	case strings.HasSuffix(h.name, "*"):
		h.name, h.left = h.name[:len(h.name)-1], true
	}
	return h
}

func label(route *declarative.Route) string {
	if route.Name != "" {
		return route.Name
	}
	return route.ID
}

// find returns the route of a request whose path is normalized, or nil.
func (r *router) find(method, hostport, path string, headers fields) *match {
	name, port := splitHost(hostport)
	for _, e := range r.entries {
		if m := e.match(method, name, port, path, headers); m != nil {
			return m
		}
	}
	return nil
}

func (e *entry) match(method, name, port, path string, headers fields) *match {
	if len(e.route.Methods) > 0 && !slices.Contains(e.route.Methods, method) {
		return nil
	}
	if len(e.hosts) > 0 && !slices.ContainsFunc(e.hosts, func(h host) bool { return h.match(name, port) }) {
		return nil
	}
	for _, h := range e.headers {
		if !h.match(headers) {
			return nil
		}
	}
	if e.regex == nil {
		if !strings.HasPrefix(path, e.prefix) {
			return nil
		}
		return &match{route: e.route, prefix: e.prefix}
	}
	groups := e.regex.FindStringSubmatch(path)
	if groups == nil {
		return nil
	}
	m := &match{route: e.route, prefix: groups[0], unnamed: groups, named: map[string]string{}}
	for i, group := range e.regex.SubexpNames() {
		if group != "" {
			m.named[group] = groups[i]
		}
	}
	return m
}

func (h host) match(name, port string) bool {
	switch {
	case h.port != "" && h.port != port:
		return false
	case h.suffix:
		return strings.HasSuffix(name, h.name)
	case h.left:
		return strings.HasPrefix(name, h.name)
	default:
		return name == h.name
	}
}

func (h headerMatch) match(headers fields) bool {
	return slices.ContainsFunc(headers.values(h.name), func(got string) bool {
		if h.regex != nil {
			return h.regex.MatchString(got)
		}
		return slices.ContainsFunc(h.values, func(want string) bool { return strings.EqualFold(got, want) })
	})
}

// splitHost splits a Host header; the port is "80" where it has none.
func splitHost(hostport string) (name, port string) {
	name, port, err := net.SplitHostPort(hostport)
	if err != nil {
		name, port = strings.Trim(hostport, "[]"), "80"
	}
	return strings.ToLower(name), port
}
