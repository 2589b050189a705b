package declarative

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// service reads one service with what is nested in it.
func (d *draft) service(value any) any {
	record, ok := asRecord(value)
	if !ok {
		return "expected a record"
	}
	record, urlProblem := withURL(record)
	filled, problems := d.loader.read(services, record, "routes", "plugins")
	if urlProblem != "" {
		problems["url"] = urlProblem
		delete(problems, "host")
	}
	d.identify("services", filled, "name", len(d.config.Services))
	s := serviceOf(filled)
	if find(d.config.Services, s.ID) != nil {
		problems["name"] = duplicate("services", s.Entity)
	}
	d.config.Services = append(d.config.Services, s)
	d.nested(problems, record, "routes", func(v any) any { return d.route(v, s) })
	d.nested(problems, record, "plugins", func(v any) any { return d.plugin(v, &Plugin{Service: s}) })
	return orNothing(problems)
}

// nested reads the list of entities that stands in a field of another one.
func (d *draft) nested(problems, record map[string]any, field string, read func(any) any) {
	if problem := d.each(record[field], read); problem != nil {
		problems[field] = problem
	}
}

// withURL replaces Kong's shorthand url by the fields that it stands for.
func withURL(record map[string]any) (map[string]any, string) {
	value, ok := record["url"]
	if !ok || value == nil {
		return record, ""
	}
	out := map[string]any{}
	for key, value := range record {
		if key != "url" {
			out[key] = value
		}
	}
	text, ok := value.(string)
	if !ok {
		return out, "expected a string"
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return out, "missing host in url"
	}
	set := func(field string, value any) {
		if _, written := record[field]; !written {
			out[field] = value
		}
	}
	port, err := strconv.Atoi(u.Port())
	switch {
	case err == nil:
	case u.Scheme == "https":
		port = 443
	default:
		port = 80
	}
	set("protocol", u.Scheme)
	set("host", u.Hostname())
	set("port", float64(port))
	if u.Path != "" {
		set("path", u.EscapedPath())
	}
	return out, ""
}

// Whole replaces what is shorthand in a record: a service's url. What the url does
// not say, nobody has said; the check tells of it.
func (k *Kind) Whole(record map[string]any) map[string]any {
	if k != services || record["url"] == nil {
		return record
	}
	for _, field := range []string{"protocol", "host", "port", "path"} {
		delete(record, field)
	}
	record, _ = withURL(record)
	return record
}

// route reads one route; service is the one that it is nested in, or nil.
func (d *draft) route(value any, service *Service) any {
	record, ok := asRecord(value)
	if !ok {
		return "expected a record"
	}
	filled, problems := d.loader.read(routes, record, "plugins")
	d.identify("routes", filled, "name", len(d.config.Routes))
	r := routeOf(filled)
	r.Service = service
	if find(d.config.Routes, r.ID) != nil {
		problems["name"] = duplicate("routes", r.Entity)
	}
	d.config.Routes = append(d.config.Routes, r)
	if problem := d.refer("routes", &r.Entity, "service", record["service"], func(d *draft, to string) bool {
		r.Service = find(d.config.Services, to)
		return r.Service != nil
	}); problem != nil {
		problems["service"] = problem
	}
	d.nested(problems, record, "plugins", func(v any) any { return d.plugin(v, &Plugin{Route: r}) })
	return orNothing(problems)
}

// consumer reads one consumer with its plugins.
func (d *draft) consumer(value any) any {
	record, ok := asRecord(value)
	if !ok {
		return "expected a record"
	}
	filled, problems := d.loader.read(consumers, record, "plugins")
	d.identify("consumers", filled, "username", len(d.config.Consumers))
	c := consumerOf(filled)
	switch {
	case find(d.config.Consumers, c.ID) != nil:
		problems["username"] = duplicate("consumers", c.Entity)
	case slices.ContainsFunc(d.config.Consumers, func(o *Consumer) bool { return c.CustomID != "" && o.CustomID == c.CustomID }):
		problems["custom_id"] = fmt.Sprintf("uniqueness violation: 'consumers' entity with custom_id set to '%s' already declared", c.CustomID)
	}
	d.config.Consumers = append(d.config.Consumers, c)
	d.nested(problems, record, "plugins", func(v any) any { return d.plugin(v, &Plugin{Consumer: c}) })
	return orNothing(problems)
}

// plugin reads one plugin entity; within has what it is nested in.
func (d *draft) plugin(value any, within *Plugin) any {
	record, ok := asRecord(value)
	if !ok {
		return "expected a record"
	}
	filled, problems := d.loader.read(plugins, record)
	p := pluginOf(d.loader, filled)
	if within != nil {
		p.Route, p.Service, p.Consumer = within.Route, within.Service, within.Consumer
	}
	refer := func(field string, set func(d *draft, to string) bool) {
		if problem := d.refer("plugins", &p.Entity, field, record[field], set); problem != nil {
			problems[field] = problem
		}
	}
	refer("route", func(d *draft, to string) bool { p.Route = find(d.config.Routes, to); return p.Route != nil })
	refer("service", func(d *draft, to string) bool { p.Service = find(d.config.Services, to); return p.Service != nil })
	refer("consumer", func(d *draft, to string) bool { p.Consumer = find(d.config.Consumers, to); return p.Consumer != nil })
	d.config.Plugins = append(d.config.Plugins, p)
	return orNothing(problems)
}

// identify gives an entity its id and times; one without a name is known by its
// place, where Kong would give it a random id.
func (d *draft) identify(kind string, filled map[string]any, handle string, place int) {
	if name(filled["id"]) == "" {
		key := name(filled[handle])
		if key == "" {
			key = fmt.Sprintf("#%d", place+1)
		}
		filled["id"] = entityID(kind, key)
	}
	d.stamp(filled)
}

// stamp sets the times that are not written.
func (d *draft) stamp(filled map[string]any) {
	for _, field := range []string{"created_at", "updated_at"} {
		if filled[field] == nil {
			filled[field] = float64(d.now)
		}
	}
}

func duplicate(kind string, e Entity) string {
	field := "name"
	if kind == "consumers" {
		field = "username"
	}
	if e.Name == "" {
		return fmt.Sprintf("uniqueness violation: '%s' entity with primary key set to '%s' already declared", kind, e.ID)
	}
	return fmt.Sprintf("uniqueness violation: '%s' entity with %s set to '%s' already declared", kind, field, e.Name)
}

func name(value any) string {
	s, _ := value.(string)
	return s
}
