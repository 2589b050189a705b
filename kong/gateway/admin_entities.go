package gateway

import (
	"net/http"

	"github.com/kong/keg/kong/gateway/declarative"
)

// adminEntities answers /services, /services/ID, /services/ID/routes and the like;
// an entity is named by its id or name.
func (g *Gateway) adminEntities(parts []string) adminReply {
	config := g.state.Load().config
	kind := parts[0]
	if len(parts) == 1 {
		return page(entities(config, kind, nil, nil))
	}
	one := find(entities(config, kind, nil, nil), parts[1])
	if one == nil {
		return notFound()
	}
	if len(parts) == 2 {
		return jsonReply(http.StatusOK, one.Fields)
	}
	if len(parts) != 3 {
		return notFound()
	}
	for _, s := range config.Services {
		if &s.Entity == one && (parts[2] == "routes" || parts[2] == "plugins") {
			return page(entities(config, parts[2], s, nil))
		}
	}
	for _, r := range config.Routes {
		switch {
		case &r.Entity != one:
		case parts[2] == "plugins":
			return page(entities(config, "plugins", nil, r))
		case parts[2] == "service" && r.Service != nil:
			return jsonReply(http.StatusOK, r.Service.Fields)
		}
	}
	return notFound()
}

// entities lists a kind; service and route, where they are set, are what the
// entities belong to.
func entities(config *declarative.Config, kind string, service *declarative.Service, route *declarative.Route) []*declarative.Entity {
	all := []*declarative.Entity{}
	switch kind {
	case "services":
		for _, s := range config.Services {
			all = append(all, &s.Entity)
		}
	case "routes":
		for _, r := range config.Routes {
			if service == nil || r.Service == service {
				all = append(all, &r.Entity)
			}
		}
	case "plugins":
		for _, p := range config.Plugins {
			if (service == nil || p.Service == service) && (route == nil || p.Route == route) {
				all = append(all, &p.Entity)
			}
		}
	}
	return all
}

func find(all []*declarative.Entity, key string) *declarative.Entity {
	for _, e := range all {
		instance, _ := e.Fields["instance_name"].(string)
		_, isPlugin := e.Fields["instance_name"]
		if e.ID == key || !isPlugin && e.Name == key || instance != "" && instance == key {
			return e
		}
	}
	return nil
}

func page(all []*declarative.Entity) adminReply {
	list := make([]map[string]any, len(all))
	for i, e := range all {
		list[i] = e.Fields
	}
	return jsonReply(http.StatusOK, map[string]any{"data": list, "next": nil})
}
