package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
)

// adminInfo is GET /. Kong 3.9.1 answers 500 to it while it manages a plugin
// server; the stand-in does not.
func (g *Gateway) adminInfo() adminReply {
	host, _ := os.Hostname()
	available := map[string]any{}
	for name, p := range g.plugins {
		available[name] = map[string]any{"version": p.version, "priority": p.priority}
	}
	enabled := []string{}
	for _, p := range g.state.Load().config.Plugins {
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
func (g *Gateway) adminStatus() adminReply {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return jsonReply(http.StatusOK, map[string]any{
		"database":           map[string]any{"reachable": true},
		"configuration_hash": g.state.Load().config.Hash,
		"memory":             map[string]any{"workers_lua_vms": []any{map[string]any{"http_allocated_gc": fmt.Sprintf("%.2f MiB", float64(memory.HeapAlloc)/(1<<20)), "pid": os.Getpid()}}},
		"server": map[string]any{
			"total_requests":       g.requests.Load(),
			"connections_accepted": g.accept.Load(), "connections_handled": g.accept.Load(),
			"connections_active": g.active.Load(),
		},
	})
}

// adminSchema is GET /schemas/plugins/NAME.
func (g *Gateway) adminSchema(name string) adminReply {
	p := g.plugins[name]
	if p == nil {
		return message(http.StatusNotFound, "No plugin named '"+clean(name)+"'")
	}
	var schema struct {
		Fields       []map[string]map[string]any `json:"fields"`
		EntityChecks []any                       `json:"entity_checks"`
	}
	if err := json.Unmarshal(p.raw, &schema); err != nil {
		return message(http.StatusInternalServerError, "An unexpected error occurred")
	}
	for _, field := range schema.Fields {
		if config := field["config"]; config != nil {
			config["required"] = true // as Kong has it, whatever the plugin wrote
		}
	}
	if schema.EntityChecks == nil {
		schema.EntityChecks = []any{}
	}
	return jsonReply(http.StatusOK, schema)
}
