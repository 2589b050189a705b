// Package sinks reaches destinations: one file for each type, the list of them
// in types.go, and the pool of the clients that they share.
//
// A sink makes one attempt and says by the type of its error what it was worth.
// It never retries, keeps nothing, and knows neither routes nor senders: those
// are the hub's. How an event looks on the wire is package cloudevents' to say.
//
// Adding a type takes its settings (a struct that implements [keg.Settings]),
// its kind (a line of types.go), and a test that runs package sinktest.
package sinks
