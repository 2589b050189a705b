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
	filled, problems := d.check("services", services, record, "routes", "plugins")
	if urlProblem != "" {
		problems["url"] = urlProblem
		delete(problems, "host")
	}
	delete(filled, "url")
	s := &Service{
		Entity:         d.entity("services", filled, len(d.config.Services)),
		Host:           name(filled["host"]),
		Protocol:       name(filled["protocol"]),
		Path:           name(filled["path"]),
		Port:           integer(filled["port"]),
		Retries:        integer(filled["retries"]),
		ConnectTimeout: integer(filled["connect_timeout"]),
		WriteTimeout:   integer(filled["write_timeout"]),
		ReadTimeout:    integer(filled["read_timeout"]),
		Tags:           texts(filled["tags"]),
		Enabled:        filled["enabled"] == true,
		CreatedAt:      d.now,
	}
	if slices.ContainsFunc(d.config.Services, func(o *Service) bool { return o.ID == s.ID }) {
		problems["name"] = duplicate("services", s.Entity)
	}
	d.config.Services = append(d.config.Services, s)
	if problem := d.each(record["routes"], func(v any) any { return d.route(v, s) }); problem != nil {
		problems["routes"] = problem
	}
	if problem := d.each(record["plugins"], func(v any) any { return d.plugin(v, nil, s) }); problem != nil {
		problems["plugins"] = problem
	}
	return orNothing(problems)
}

// withURL replaces Kong's shorthand url by the fields that it stands for.
func withURL(record map[string]any) (map[string]any, string) {
	text, ok := record["url"].(string)
	if !ok {
		return record, ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return record, "missing host in url"
	}
	out := map[string]any{"protocol": u.Scheme, "host": u.Hostname(), "port": 80.0}
	if u.Scheme == "https" {
		out["port"] = 443.0
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		out["port"] = float64(port)
	}
	if u.Path != "" {
		out["path"] = u.EscapedPath()
	}
	for key, value := range record {
		if key != "url" {
			out[key] = value
		}
	}
	return out, ""
}

// route reads one route; service is the one that it is nested in, or nil.
func (d *draft) route(value any, service *Service) any {
	record, ok := asRecord(value)
	if !ok {
		return "expected a record"
	}
	filled, problems := d.check("routes", routes, record, "service", "plugins")
	r := &Route{
		Entity:                  d.entity("routes", filled, len(d.config.Routes)),
		Service:                 service,
		Protocols:               texts(filled["protocols"]),
		Methods:                 texts(filled["methods"]),
		Hosts:                   texts(filled["hosts"]),
		Paths:                   texts(filled["paths"]),
		Headers:                 map[string][]string{},
		HTTPSRedirectStatusCode: integer(filled["https_redirect_status_code"]),
		RegexPriority:           integer(filled["regex_priority"]),
		StripPath:               filled["strip_path"] == true,
		PreserveHost:            filled["preserve_host"] == true,
		Tags:                    texts(filled["tags"]),
		CreatedAt:               d.now,
	}
	headers, _ := filled["headers"].(map[string]any)
	for key, values := range headers {
		r.Headers[key] = texts(values)
	}
	if len(problems) == 0 && len(r.Methods)+len(r.Hosts)+len(r.Paths)+len(r.Headers) == 0 {
		problems["@entity"] = []any{"must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'"}
	}
	if slices.ContainsFunc(d.config.Routes, func(o *Route) bool { return o.ID == r.ID }) {
		problems["name"] = duplicate("routes", r.Entity)
	}
	d.config.Routes = append(d.config.Routes, r)
	if problem := d.refer("routes", &r.Entity, "service", record["service"], func(d *draft, to string) bool {
		r.Service = find(d.config.Services, to)
		return r.Service != nil
	}); problem != nil {
		problems["service"] = problem
	}
	if problem := d.each(record["plugins"], func(v any) any { return d.plugin(v, r, nil) }); problem != nil {
		problems["plugins"] = problem
	}
	return orNothing(problems)
}

// plugin reads one plugin entity; route or service is what it is nested in.
func (d *draft) plugin(value any, route *Route, service *Service) any {
	record, ok := asRecord(value)
	if !ok {
		return "expected a record"
	}
	filled, problems := d.check("plugins", plugins, record, "config", "route", "service")
	p := &Plugin{Entity: Entity{Name: name(filled["name"]), Fields: filled}, Route: route, Service: service, Enabled: filled["enabled"] == true, Protocols: texts(filled["protocols"])}
	p.Schema = d.loader.Schemas[p.Name]
	switch {
	case problems["name"] != nil:
	case p.Schema == nil:
		problems["name"] = notEnabled(p.Name)
	default:
		if record["config"] == nil {
			record["config"] = map[string]any{}
		}
		if problem := p.Schema.Config.check(record["config"]); problem != nil {
			problems["config"] = problem
		} else if problem := terminationProblem(p.Name, record["config"]); problem != "" {
			problems["config"] = map[string]any{"@entity": []any{problem}}
		} else {
			p.Config, _ = p.Schema.Config.fill(record["config"]).(map[string]any)
			filled["config"] = p.Config
		}
	}
	refer := func(field string, set func(d *draft, to string) bool) {
		if problem := d.refer("plugins", &p.Entity, field, record[field], set); problem != nil {
			problems[field] = problem
		}
	}
	refer("route", func(d *draft, to string) bool { p.Route = find(d.config.Routes, to); return p.Route != nil })
	refer("service", func(d *draft, to string) bool { p.Service = find(d.config.Services, to); return p.Service != nil })
	d.config.Plugins = append(d.config.Plugins, p)
	return orNothing(problems)
}

func notEnabled(plugin string) string {
	if slices.Contains(bundled, plugin) {
		return fmt.Sprintf("plugin '%s' is not part of this stand-in for Kong, which has request-termination only; Kong itself has it", plugin)
	}
	return fmt.Sprintf("plugin '%s' not enabled; add it to the 'plugins' configuration property", plugin)
}

// entity gives an entity its id; one without a name is known by its place,
// where Kong would give it a random id.
func (d *draft) entity(kind string, filled map[string]any, place int) Entity {
	id := name(filled["id"])
	if id == "" {
		key := name(filled["name"])
		if key == "" {
			key = fmt.Sprintf("#%d", place+1)
		}
		id = entityID(kind, key)
	}
	filled["id"] = id
	return Entity{ID: id, Name: name(filled["name"]), Fields: filled}
}

func duplicate(kind string, e Entity) string {
	if e.Name == "" {
		return fmt.Sprintf("uniqueness violation: '%s' entity with primary key set to '%s' already declared", kind, e.ID)
	}
	return fmt.Sprintf("uniqueness violation: '%s' entity with name set to '%s' already declared", kind, e.Name)
}

func name(value any) string {
	s, _ := value.(string)
	return s
}
