// Package server is a plugin server for Kong Gateway: it serves any number of
// plugins on one unix socket, in the protocol that Kong calls ProtoBuf:1.
//
// A [Plugin] is what Kong is told of; an [Instance] is one configuration of it,
// started by a Kong worker at its first event; a [Call] is Kong's side of one
// phase of one request, in which the instance may ask Kong things. Calls that
// belong together are put into a [Batch], which is written and read at once,
// for each round trip costs more than what it carries.
//
// The protocol has no way to report a failure but to close the connection, and
// Kong takes a close for "no such instance", starts another and runs the event
// again, without end. So this package answers every event that it can answer,
// a plugin that fails or panics by a 500 to the client, and closes only where
// Kong must start the instance again, or where the connection itself is lost.
//
// The messages and, for what is off the hot path, the client are those of
// github.com/Kong/go-pdk. Its own server is not used: it serves one plugin a
// process, takes Kong's sequence number for an instance's id though two workers
// share it, ends the process in a plugin's panic, allocates any length that a
// frame claims, and makes a round trip of each call. The benchmark in
// kong/server/bench measures the two against each other.
//
// It knows Kong and nothing of what plugins do. Schemas come from package
// schema; what Kong is told in its query command comes from [Dump].
package server
