// Package keg is the vocabulary of the event gateway: what an event is, what
// a destination is, what a sender is promised, and what an error asks its
// receiver to do next. It does nothing itself, imports the standard library
// only, and is imported by every other package of the module but those below
// kong, which know Kong and no events.
//
// The words mean one thing each. An event is inside KEG; a request is HTTP's,
// a record Kafka's, a message MQTT's. A route names destinations; a sink is
// the code that reaches one; a delivery is one event owed to one destination;
// an attempt is one Send; a dead letter is a delivery given up, with its
// reason. DESIGN.md tells how the packages fit together.
package keg
