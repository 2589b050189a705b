// Package outbox keeps what is owed until it is delivered. A [Store] holds
// events and the deliveries owed of them, durably; the [Dispatcher] takes
// deliveries from it, or straight from the hub, makes one attempt at each, and
// settles how it went: done, again later, or a dead letter.
//
// The package knows neither routes nor sinks: a delivery names its [Queue], and
// the hub says which destination that is today. The stores are rooms of their
// own, outbox/embedded and outbox/postgres, and both pass outbox/outboxtest.
package outbox
