package gateway

import (
	"net/http"

	"github.com/kong/keg/kong/gateway/declarative"
)

// parent is the entity that a path names before those that it is about:
// /services/shop/routes.
type parent struct {
	kind *declarative.Kind
	key  string
	link *declarative.Link // the child's, to it
}

// find returns the parent's entity; without a parent it returns nil.
func (p *parent) find(c *declarative.Config) (*declarative.Entity, error) {
	if p == nil {
		return nil, nil
	}
	return existing(c, p.kind, p.key)
}

func existing(c *declarative.Config, k *declarative.Kind, key string) (*declarative.Entity, error) {
	e, err := c.LookUp(k, key)
	if err == nil && e == nil {
		err = errNotFound
	}
	return e, err
}

// adopt lets a record point to the parent.
func (p *parent) adopt(c *declarative.Config, record map[string]any) error {
	to, err := p.find(c)
	if to != nil {
		record[p.link.Field] = map[string]any{"id": to.ID}
	}
	return err
}

// collection is all entities of a kind, or those of a parent.
func (g *Gateway) collection(k *declarative.Kind, in *parent) endpoint {
	return endpoint{
		http.MethodGet: func(r *http.Request) adminReply { return g.list(r, k, in) },
		http.MethodPost: g.write(http.StatusCreated, func(c *declarative.Config, a *arguments) (*declarative.Config, *declarative.Entity, error) {
			record := a.record(g.loader, k, nil)
			if err := in.adopt(c, record); err != nil {
				return nil, nil, err
			}
			return g.loader.Create(c, k, record)
		}),
	}
}

// one is an entity by its id or handle; under a parent it has to be the parent's.
func (g *Gateway) one(k *declarative.Kind, key string, in *parent) endpoint {
	find := func(c *declarative.Config) (*declarative.Entity, error) {
		of, err := in.find(c)
		if err != nil {
			return nil, err
		}
		e, err := existing(c, k, key)
		if err == nil && of != nil && e.Target(in.link.Field) != of.ID {
			err = errNotFound
		}
		return e, err
	}
	return endpoint{
		http.MethodGet: func(*http.Request) adminReply {
			e, err := find(g.config())
			if err != nil {
				return g.errorReply(err)
			}
			return jsonReply(http.StatusOK, e.Fields)
		},
		http.MethodPut: g.write(http.StatusOK, func(c *declarative.Config, a *arguments) (*declarative.Config, *declarative.Entity, error) {
			record := a.record(g.loader, k, nil)
			if err := in.adopt(c, record); err != nil {
				return nil, nil, err
			}
			return g.loader.Put(c, k, key, record)
		}),
		http.MethodPatch: g.write(http.StatusOK, func(c *declarative.Config, a *arguments) (*declarative.Config, *declarative.Entity, error) {
			e, err := find(c)
			if err != nil && (in != nil || k.Name == "plugins") { // else Update says it, as Kong does
				return nil, nil, err
			}
			return g.loader.Update(c, k, key, a.record(g.loader, k, e))
		}),
		http.MethodDelete: func(*http.Request) adminReply {
			err := g.change(func(c *declarative.Config) (*declarative.Config, error) {
				if in != nil {
					if _, err := find(c); err != nil {
						return nil, err
					}
				}
				return g.loader.Remove(c, k, key)
			})
			if err != nil {
				return g.errorReply(err)
			}
			return adminReply{status: http.StatusNoContent}
		},
	}
}

// linked is what an entity points to: /routes/ID/service.
func (g *Gateway) linked(k *declarative.Kind, key string, link *declarative.Link) endpoint {
	to := declarative.KindOf(link.To)
	target := func(c *declarative.Config) (from *declarative.Entity, id string, err error) {
		if from, err = existing(c, k, key); err == nil {
			id = from.Target(link.Field)
		}
		return from, id, err
	}
	get := func(*http.Request) adminReply {
		c := g.config()
		_, id, err := target(c)
		if err == nil && id == "" {
			err = errNotFound
		}
		if err != nil {
			return g.errorReply(err)
		}
		return jsonReply(http.StatusOK, c.Find(to, id).Fields)
	}
	return endpoint{
		http.MethodGet: get,
		http.MethodPut: g.write(http.StatusOK, func(c *declarative.Config, a *arguments) (*declarative.Config, *declarative.Entity, error) {
			from, id, err := target(c)
			if err != nil {
				return nil, nil, err
			}
			isNew := id == ""
			if isNew {
				id = newUUID()
			}
			next, e, err := g.loader.Put(c, to, id, a.record(g.loader, to, nil))
			if err == nil && isNew {
				next, _, err = g.loader.Update(next, k, from.ID, map[string]any{link.Field: map[string]any{"id": id}})
			}
			return next, e, err
		}),
		http.MethodPatch: g.write(http.StatusOK, func(c *declarative.Config, a *arguments) (*declarative.Config, *declarative.Entity, error) {
			_, id, err := target(c)
			if err == nil && id == "" {
				err = errNotFound
			}
			if err != nil {
				return nil, nil, err
			}
			return g.loader.Update(c, to, id, a.record(g.loader, to, c.Find(to, id)))
		}),
		http.MethodDelete: func(r *http.Request) adminReply { // never, in Kong
			if reply := get(r); reply.status != http.StatusOK {
				return reply
			}
			return message(http.StatusMethodNotAllowed, "Method not allowed")
		},
	}
}

// write reads the request's arguments, makes a change of them, and answers with
// the entity.
func (g *Gateway) write(status int, change func(*declarative.Config, *arguments) (*declarative.Config, *declarative.Entity, error)) func(*http.Request) adminReply {
	return func(r *http.Request) adminReply {
		a, refused := readArguments(r)
		if refused != nil {
			return *refused
		}
		var e *declarative.Entity
		err := g.change(func(c *declarative.Config) (next *declarative.Config, err error) {
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
func (g *Gateway) config() *declarative.Config { return g.state.Load().config }

// change makes one change after the other. The next request sees it; what a plugin
// sees of it is built then.
func (g *Gateway) change(changed func(*declarative.Config) (*declarative.Config, error)) error {
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
func routable(before, next *declarative.Config) error {
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
