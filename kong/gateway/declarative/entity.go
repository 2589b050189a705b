package declarative

// Config is one good kong.yml. It is not changed once it is loaded.
type Config struct {
	Services []*Service
	Routes   []*Route
	Plugins  []*Plugin
	// Hash is the MD5 of the text, Kong's configuration_hash.
	Hash string
}

// Entity is what services, routes and plugins have in common.
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

// Service is an upstream; times are in milliseconds.
type Service struct {
	Entity
	Protocol, Host, Path                      string
	Port, Retries                             int
	ConnectTimeout, WriteTimeout, ReadTimeout int
	Tags                                      []string
	Enabled                                   bool
	CreatedAt                                 int64
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
	Tags                    []string
	CreatedAt               int64
}

// Plugin is a plugin applied to a route, a service, or everything.
type Plugin struct {
	Entity
	Route     *Route
	Service   *Service
	Enabled   bool
	Protocols []string
	Schema    *Schema
	// Config is filled with defaults; references in it are not yet resolved.
	Config map[string]any
	// Seq is Kong's __seq__: the order in which entities were loaded, over all
	// loads of this process.
	Seq int
}

// PluginConfig is the JSON that a plugin server gets: the config with its
// references resolved, without nulls, and Kong's own keys.
func (p *Plugin) PluginConfig(lookup func(string) (string, bool), unresolved func(reference string, err error)) []byte {
	config, _ := withoutNulls(p.Schema.Config.Resolve(p.Config, lookup, unresolved)).(map[string]any)
	route, service := "", ""
	if p.Route != nil {
		route = p.Route.ID
		config["route_id"] = route
	}
	if p.Service != nil {
		service = p.Service.ID
		config["service_id"] = service
	}
	config["__seq__"] = p.Seq
	config["__plugin_id"] = p.ID
	config["__key__"] = cacheKey(p.Name, route, service)
	config["__ws_id"] = Workspace
	return AppendJSON(nil, config)
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
