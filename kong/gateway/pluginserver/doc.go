// Package pluginserver is Kong's end of the plugin server protocol
// (ProtoBuf:1): it asks a plugin server what it serves, keeps its process
// running, keeps connections and instances for each worker, and drives events.
// It knows frames, instances and processes; what a PDK call does is its
// caller's business, and so is HTTP.
//
// Where Kong 3.9.1's behaviour is odd, the oddity is kept, because plugins have
// to live with it. There are three exceptions: an event is run again at most
// [MaxRuns] times, where Kong goes on for ever; a start of an instance that fails
// lets the next request try at once, where Kong, after some failures, makes it
// wait for ten seconds first; and a frame is refused above [MaxFrame] bytes.
package pluginserver
