// Package sources is where events come from beside Kong: listeners and
// subscriptions of KEG's own. A source decodes what arrives, hands it to a
// [keg.Intake], and tells the sender that it may forget an event only when that
// has said so; it knows nothing of routes and destinations.
//
// [HTTP] answers its clients, who try again or do not. Kafka and MQTT have no
// answer but the commit and the acknowledgement, so these sources try again
// themselves, in order, for as long as it takes, and make a dead letter of what
// will never be taken. Either may give an event twice after a crash, and never
// loses one.
//
// [Types] lists what `sources` of routes.yaml can name, [Parse] reads
// KEG_EVENT_SOURCES, and [Open] makes a source of what either brought.
// [Clashes] and [LoopProblem] find what cannot run together.
package sources
