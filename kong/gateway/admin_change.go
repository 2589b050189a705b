package gateway

import (
	"net/http"

	"github.com/kong/keg/kong/gateway/declarative"
)

// Short names for what the Admin API is about.
type (
	config = declarative.Config
	entity = declarative.Entity
	kind   = declarative.Kind
)

// write reads the request's arguments, makes a change of them, and answers with
// the entity.
func (g *Gateway) write(status int, change func(*config, *arguments) (*config, *entity, error)) func(*http.Request) adminReply {
	return func(r *http.Request) adminReply {
		a, refused := readArguments(r)
		if refused != nil {
			return *refused
		}
		var e *entity
		err := g.change(func(c *config) (next *config, err error) {
			next, e, err = change(c, a)
			return next, err
		})
		if err != nil {
			return g.errorReply(err)
		}
		return jsonReply(status, e.Fields)
	}
}

// config is the configuration as it is now.
func (g *Gateway) config() *config { return g.state.Load().config }

// change makes one change after the other. The next request sees it; what a plugin
// sees of it is built then.
func (g *Gateway) change(changed func(*config) (*config, error)) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	before := g.config()
	next, err := changed(before)
	if err != nil || next == before {
		return err
	}
	if err := routable(before, next); err != nil {
		return declarative.Refused("@entity", err.Error())
	}
	g.state.Store(g.newState(next))
	return nil
}

// routable is an error where a route that is new cannot be matched here.
func routable(before, next *config) error {
	known := map[*declarative.Route]bool{}
	for _, r := range before.Routes {
		known[r] = true
	}
	var fresh []*declarative.Route
	for _, r := range next.Routes {
		if !known[r] {
			fresh = append(fresh, r)
		}
	}
	_, err := newRouter(fresh)
	return err
}
