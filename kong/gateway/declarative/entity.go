package declarative

// Config is one good kong.yml. It is not changed once it is loaded.
type Config struct {
	Services  []*Service
	Routes    []*Route
	Consumers []*Consumer
	Plugins   []*Plugin
	// Hash is the MD5 of the text, Kong's configuration_hash; after a change of a
	// single entity it is one that no text has.
	Hash string
}

// Entity is what all kinds have in common.
type Entity struct {
	ID   string
	Name string // "" where it has none; a plugin's name is its plugin's
	// Fields are all fields as the Admin API shows them, with nulls.
	Fields map[string]any
}

// Shown is the entity as Kong's log entries show it: without what is not set.
func (e *Entity) Shown() map[string]any {
	shown := withoutNulls(e.Fields).(map[string]any)
	shown["ws_id"] = Workspace
	return shown
}

// Tags are the entity's, none where it has none.
func (e *Entity) Tags() []string { return texts(e.Fields["tags"]) }

// Service is an upstream; times are in milliseconds.
type Service struct {
	Entity
	Protocol, Host, Path                      string
	Port, Retries                             int
	ConnectTimeout, WriteTimeout, ReadTimeout int
	Enabled                                   bool
	CreatedAt, UpdatedAt                      int64
}

func serviceOf(filled map[string]any) *Service {
	return &Service{
		Entity:         entityOf(filled, "name"),
		Host:           name(filled["host"]),
		Protocol:       name(filled["protocol"]),
		Path:           name(filled["path"]),
		Port:           integer(filled["port"]),
		Retries:        or(filled["retries"], 5),
		ConnectTimeout: or(filled["connect_timeout"], 60_000),
		WriteTimeout:   or(filled["write_timeout"], 60_000),
		ReadTimeout:    or(filled["read_timeout"], 60_000),
		Enabled:        filled["enabled"] == true,
		CreatedAt:      int64(integer(filled["created_at"])),
		UpdatedAt:      int64(integer(filled["updated_at"])),
	}
}

// Route says which requests go to a service, or to plugins only.
type Route struct {
	Entity
	Service                 *Service // nil: no service
	Protocols, Methods      []string
	Hosts, Paths            []string
	Headers                 map[string][]string
	HTTPSRedirectStatusCode int
	RegexPriority           int
	StripPath, PreserveHost bool
	CreatedAt, UpdatedAt    int64
}

func routeOf(filled map[string]any) *Route {
	r := &Route{
		Entity:                  entityOf(filled, "name"),
		Protocols:               texts(filled["protocols"]),
		Methods:                 texts(filled["methods"]),
		Hosts:                   texts(filled["hosts"]),
		Paths:                   texts(filled["paths"]),
		Headers:                 map[string][]string{},
		HTTPSRedirectStatusCode: integer(filled["https_redirect_status_code"]),
		RegexPriority:           integer(filled["regex_priority"]),
		StripPath:               filled["strip_path"] == true,
		PreserveHost:            filled["preserve_host"] == true,
		CreatedAt:               int64(integer(filled["created_at"])),
		UpdatedAt:               int64(integer(filled["updated_at"])),
	}
	headers, _ := filled["headers"].(map[string]any)
	for key, values := range headers {
		r.Headers[key] = texts(values)
	}
	return r
}

// Consumer is one who sends requests. Nobody can prove to be one here, since the
// stand-in has no plugin that authenticates.
type Consumer struct {
	Entity    // its name is its username
	CustomID  string
	CreatedAt int64
}

func consumerOf(filled map[string]any) *Consumer {
	return &Consumer{Entity: entityOf(filled, "username"), CustomID: name(filled["custom_id"]), CreatedAt: int64(integer(filled["created_at"]))}
}

// Plugin is a plugin applied to a route, a service, a consumer, or everything.
type Plugin struct {
	Entity
	Route     *Route
	Service   *Service
	Consumer  *Consumer
	Enabled   bool
	Protocols []string
	Schema    *Schema
	// Config is filled with defaults; references in it are not yet resolved.
	Config map[string]any
	// Seq is Kong's __seq__: the order in which entities were loaded, over all
	// loads of this process.
	Seq int
}

func pluginOf(l *Loader, filled map[string]any) *Plugin {
	p := &Plugin{Entity: entityOf(filled, "name"), Enabled: filled["enabled"] == true, Protocols: texts(filled["protocols"])}
	p.Schema = l.Schemas[p.Name]
	p.Config, _ = filled["config"].(map[string]any)
	return p
}

// PluginConfig is the JSON that a plugin server gets: the config with its
// references resolved, without nulls, and Kong's own keys.
func (p *Plugin) PluginConfig(lookup func(string) (string, bool), unresolved func(reference string, err error)) []byte {
	config, _ := withoutNulls(p.Schema.Config.Resolve(p.Config, lookup, unresolved)).(map[string]any)
	route, service, consumer := "", "", ""
	if p.Route != nil {
		route = p.Route.ID
		config["route_id"] = route
	}
	if p.Service != nil {
		service = p.Service.ID
		config["service_id"] = service
	}
	if p.Consumer != nil {
		consumer = p.Consumer.ID
		config["consumer_id"] = consumer
	}
	if instance := name(p.Fields["instance_name"]); instance != "" {
		config["plugin_instance_name"] = instance
	}
	config["__seq__"] = p.Seq
	config["__plugin_id"] = p.ID
	config["__key__"] = cacheKey(p.Name, route, service, consumer)
	config["__ws_id"] = Workspace
	return AppendJSON(nil, config)
}

func entityOf(filled map[string]any, handle string) Entity {
	return Entity{ID: name(filled["id"]), Name: name(filled[handle]), Fields: filled}
}

func texts(value any) []string {
	list, _ := asList(value)
	out := make([]string, 0, len(list))
	for _, item := range list {
		s, _ := item.(string)
		out = append(out, s)
	}
	return out
}

func integer(value any) int {
	f, _ := value.(float64)
	return int(f)
}

// or is integer for what may be set to null, where Kong goes by its default.
func or(value any, fallback int) int {
	if value == nil {
		return fallback
	}
	return integer(value)
}
