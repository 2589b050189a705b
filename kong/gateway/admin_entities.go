package gateway

import (
	"net/http"

	"github.com/kong/keg/kong/gateway/declarative"
)

// parent is the entity that a path names before those that it is about:
// /services/shop/routes.
type parent struct {
	kind *kind
	key  string
	link *declarative.Link // the child's, to it
}

// find returns the parent's entity; without a parent it returns nil.
func (p *parent) find(c *config) (*entity, error) {
	if p == nil {
		return nil, nil
	}
	return existing(c, p.kind, p.key)
}

func existing(c *config, k *kind, key string) (*entity, error) {
	e, err := c.LookUp(k, key)
	if err == nil && e == nil {
		err = errNotFound
	}
	return e, err
}

// adopt lets a record point to the parent.
func (p *parent) adopt(c *config, record map[string]any) error {
	to, err := p.find(c)
	if to != nil {
		record[p.link.Field] = map[string]any{"id": to.ID}
	}
	return err
}

// collection is all entities of a kind, or those of a parent.
func (g *Gateway) collection(k *kind, in *parent) endpoint {
	return endpoint{
		http.MethodGet: func(r *http.Request) adminReply { return g.list(r, k, in) },
		http.MethodPost: g.write(http.StatusCreated, func(c *config, a *arguments) (*config, *entity, error) {
			record := a.record(g.loader, k, nil)
			if err := in.adopt(c, record); err != nil {
				return nil, nil, err
			}
			return g.loader.Create(c, k, record)
		}),
	}
}

// one is an entity by its id or handle; under a parent it has to be the parent's.
func (g *Gateway) one(k *kind, key string, in *parent) endpoint {
	find := func(c *config) (*entity, error) {
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
		http.MethodPut: g.write(http.StatusOK, func(c *config, a *arguments) (*config, *entity, error) {
			record := a.record(g.loader, k, nil)
			if err := in.adopt(c, record); err != nil {
				return nil, nil, err
			}
			return g.loader.Put(c, k, key, record)
		}),
		http.MethodPatch: g.write(http.StatusOK, func(c *config, a *arguments) (*config, *entity, error) {
			e, err := find(c)
			if err != nil && (in != nil || k.Name == "plugins") { // else Update says it, as Kong does
				return nil, nil, err
			}
			return g.loader.Update(c, k, key, a.record(g.loader, k, e))
		}),
		http.MethodDelete: func(*http.Request) adminReply {
			err := g.change(func(c *config) (*config, error) {
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
func (g *Gateway) linked(k *kind, key string, link *declarative.Link) endpoint {
	to := declarative.KindOf(link.To)
	target := func(c *config) (from *entity, id string, err error) {
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
		http.MethodPut: g.write(http.StatusOK, func(c *config, a *arguments) (*config, *entity, error) {
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
		http.MethodPatch: g.write(http.StatusOK, func(c *config, a *arguments) (*config, *entity, error) {
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
