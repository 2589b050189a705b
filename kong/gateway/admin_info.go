package gateway

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
)

// adminInfo is GET /, as Kong documents it. Kong 3.9.1 answers 500 to it while it
// manages a plugin server; the stand-in does not, since clients such as decK ask
// here for the version.
func (g *Gateway) adminInfo(*http.Request) adminReply {
	host, _ := os.Hostname()
	available := map[string]any{}
	for name, p := range g.plugins {
		available[name] = map[string]any{"version": p.version, "priority": p.priority}
	}
	enabled := []string{}
	for _, p := range g.config().Plugins {
		if !slices.Contains(enabled, p.Name) {
			enabled = append(enabled, p.Name)
		}
	}
	return jsonReply(http.StatusOK, map[string]any{
		"tagline": "Welcome to the " + Banner, "version": Version, "edition": "community",
		"hostname": host, "node_id": g.node, "pids": map[string]any{"master": os.Getpid()},
		"lua_version":   "none, this is " + runtime.Version(),
		"plugins":       map[string]any{"available_on_server": available, "enabled_in_cluster": enabled},
		"configuration": map[string]any{"database": "off", "proxy_listen": g.proxyAddrs, "admin_listen": g.adminAddrs, "role": "traditional"},
	})
}

// adminStatus is GET /status: whether the node is well.
func (g *Gateway) adminStatus(*http.Request) adminReply {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return jsonReply(http.StatusOK, map[string]any{
		"database":           map[string]any{"reachable": true},
		"configuration_hash": g.config().Hash,
		"memory":             map[string]any{"workers_lua_vms": []any{map[string]any{"http_allocated_gc": fmt.Sprintf("%.2f MiB", float64(memory.HeapAlloc)/(1<<20)), "pid": os.Getpid()}}},
		"server": map[string]any{
			"total_requests":       g.requests.Load(),
			"connections_accepted": g.accept.Load(), "connections_handled": g.accept.Load(),
			"connections_active": g.active.Load(),
		},
	})
}

// adminEnabled is GET /plugins/enabled: the names of all plugins that there are.
func (g *Gateway) adminEnabled(*http.Request) adminReply {
	return jsonReply(http.StatusOK, map[string]any{"enabled_plugins": slices.Sorted(maps.Keys(g.plugins))})
}
