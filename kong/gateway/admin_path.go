package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kong/keg/kong/gateway/declarative"
)

// absent are the kinds that Kong has and the stand-in has not: they are listed as
// empty, which is true, and cannot be filled.
var absent = []string{"upstreams", "certificates", "ca_certificates", "snis", "vaults", "keys", "key-sets"}

// endpoint finds what a request's path stands for; nil: nothing.
func (g *Gateway) endpoint(r *http.Request) endpoint {
	path := pathOf(r.URL)
	at := func(pattern ...string) bool {
		return slices.EqualFunc(pattern, path, func(p, s string) bool { return p == s || p == "*" && s != "" })
	}
	get := func(reply func(*http.Request) adminReply) endpoint { return endpoint{http.MethodGet: reply} }
	switch {
	case at(""):
		return get(g.adminInfo)
	case at("status"):
		return get(g.adminStatus)
	case at("config"):
		return endpoint{http.MethodGet: g.adminConfig, http.MethodPost: g.adminLoad}
	case at("tags"):
		return get(func(r *http.Request) adminReply { return g.adminTags(r, "") })
	case at("tags", "*"):
		return get(func(r *http.Request) adminReply { return g.adminTags(r, path[1]) })
	case at("plugins", "enabled"):
		return get(g.adminEnabled)
	case at("schemas", "*"):
		return get(func(*http.Request) adminReply { return g.adminSchema(path[1]) })
	case at("schemas", "*", "validate"):
		return endpoint{http.MethodPost: func(r *http.Request) adminReply { return g.adminValidate(r, path[1]) }}
	case at("schemas", "plugins", "*"):
		return get(func(*http.Request) adminReply { return g.adminPluginSchema(path[2]) })
	}
	if slices.Contains(absent, path[0]) {
		return g.absent(path)
	}
	return g.entityEndpoint(path)
}

// pathOf is a path by its segments, decoded; a slash at the end is none.
func pathOf(u *url.URL) []string {
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(u.EscapedPath(), "/"), "/"), "/")
	for i, s := range segments {
		segments[i] = unescaped(s)
	}
	return segments
}

// entityEndpoint is what can be done with entities: /services, /services/ID,
// /services/ID/routes, /services/ID/routes/ID, /routes/ID/service.
func (g *Gateway) entityEndpoint(path []string) endpoint {
	kind := declarative.KindOf(path[0])
	if kind == nil || slices.Contains(path, "") || len(path) > 4 {
		return nil
	}
	if len(path) == 1 {
		return g.collection(kind, nil)
	}
	if len(path) == 2 {
		return g.one(kind, path[1], nil)
	}
	if link := kind.Link(path[2]); link != nil && len(path) == 3 {
		return g.linked(kind, path[1], link)
	}
	child := declarative.KindOf(path[2])
	if child == nil || child.LinkTo(kind.Name) == nil {
		return nil
	}
	in := &parent{kind: kind, key: path[1], link: child.LinkTo(kind.Name)}
	if len(path) == 3 {
		return g.collection(child, in)
	}
	return g.one(child, path[3], in)
}

// absent answers for a kind that the stand-in does not have.
func (g *Gateway) absent(path []string) endpoint {
	refuse := func(*http.Request) adminReply { return g.errorReply(declarative.Unsupported(path[0])) }
	switch len(path) {
	case 1:
		return endpoint{
			http.MethodGet:  func(r *http.Request) adminReply { return g.page(r, nil) },
			http.MethodPost: refuse,
		}
	case 2:
		return endpoint{
			http.MethodGet: func(*http.Request) adminReply { return notFound() },
			http.MethodPut: refuse, http.MethodPatch: refuse,
			http.MethodDelete: func(*http.Request) adminReply { return adminReply{status: http.StatusNoContent} },
		}
	}
	return nil
}
