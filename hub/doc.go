// Package hub is the one way in for every event: it asks the route table
// which destinations an event is owed to, delivers to all of them at once or
// stores what is owed, and says what became of it.
//
// Whoever takes events in (a plugin of Kong, a source) opens a [Port], which
// carries the promise that this entry makes to its senders, and calls
// [Port.Publish]. The hub bounds what is in flight, tries again while a sender
// waits, and tells the outbox's dispatcher, which tries what is stored, what a
// queue is today; both judge an attempt by package attempt. It knows neither
// HTTP nor Kafka nor Kong: events come decoded and valid, and sinks reach the
// destinations.
//
// A receipt without an error means, under [keg.AckDelivered], that every owed
// destination has the event, and under [keg.AckStored] that it is stored and will
// be delivered. In every other case the event is still the sender's, though
// destinations may have it: what [keg.Receipt.Deliveries] says.
package hub
