// Package hub is the one way in for every event: it asks the route table
// which destinations an event is owed to, delivers to all of them at once, and
// says what became of it.
//
// Whoever takes events in (a plugin of Kong, a source) opens a [Port], which
// carries the promise that this entry makes to its senders, and calls
// [Port.Publish]. The hub is the only layer that judges an attempt and tries
// again; that bounds what is in flight; and that writes a dead letter. It knows
// neither HTTP nor Kafka nor Kong: events come decoded and valid, and sinks
// reach the destinations.
//
// Without persistence a receipt without an error means, under
// [keg.AckDelivered], that every owed destination has the event. In every other
// case the event is still the sender's, though destinations may have it: what
// [keg.Receipt.Deliveries] says.
package hub
