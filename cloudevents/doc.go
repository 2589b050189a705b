// Package cloudevents knows how a CloudEvent 1.0 looks on each wire, and
// nothing of where it comes from or goes to: it reads HTTP requests, Kafka
// records and MQTT messages into [keg.Event], and writes events for the three.
// It does no I/O. What is read has been validated; what is no CloudEvent
// becomes one (a plain request, a record, a message), so that there is one kind
// of thing inside KEG.
//
// Every size that a stranger chooses has a limit here, and every refusal is one
// of [keg.InvalidError], [keg.TooLargeError] and [keg.UnsupportedError].
//
// The specifications: CloudEvents 1.0.2, its JSON event format, its HTTP, Kafka
// and MQTT protocol bindings, and its distributed tracing extension.
package cloudevents
