// Package gateway is a stand-in for Kong Gateway 3.9, for development and
// tests on a machine without Kong. Production runs Kong.
//
// It reads a declarative kong.yml, proxies HTTP, runs Kong's external plugins
// over the real socket with the real protocol, and has Kong's Admin API for
// services, routes, consumers and plugins. It is held to recordings of a running
// Kong 3.9.1: to the same request a plugin gets the same answers to its PDK calls,
// and the client sees the same response. The Admin API is tried with Kong's own Go
// client.
//
// It runs as a Kong without a database: single entities cannot be changed, unless
// Options.AdminWritable lets the Admin API change them in memory, as a Kong with a
// database would.
//
// What it does not have, it refuses by name: TLS, HTTP/2 and gRPC listeners,
// consumers' credentials, upstreams with several targets, every bundled plugin but
// request-termination. So nobody can prove to be a consumer, and plugins that are
// applied to one never run. WebSockets, trusted_ips, and the certificate and preread
// phases are not there either. Where it is known to differ from Kong:
//
//   - Header fields are sent in another order, and those of upstreams in Go's
//     spelling.
//   - A 204 has no Content-Length, where Kong writes 0.
//   - A request body is at most Options.ClientMaxBodySize bytes, 256 MiB unless
//     it is set, where Kong has no limit.
//   - Certificates of https services are verified, where Kong does not.
//   - Regular expressions are RE2's; routes of equal weight go by their order in
//     the file (see router.go).
//   - The log phases of one request run one after the other, where Kong runs them
//     at the same time.
//   - Entities without a name keep their id over a reload; in Kong it is random.
//   - kong.response.get_source tells the truth; Kong 3.9.1 says "error" in the
//     next request of a worker whose last one failed.
//   - GET / of the Admin API answers; Kong 3.9.1 says 500 to it while it manages a
//     plugin server. Kinds of entities that it does not have are listed as empty.
//     It knows no flatten_errors.
//   - A change holds from the next request on; a Kong with a database may take
//     seconds.
//   - See also package pluginserver.
package gateway
