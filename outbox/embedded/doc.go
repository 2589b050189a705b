// Package embedded keeps events in a directory of this machine, on Pebble: the
// [outbox.Store] of a single node, which needs no other service.
//
// # What is on disk
//
// Every delivery is one row, by queue and sequence; sequences grow in the order
// of the Puts. The event of a delivery that is the only one of its event lies
// in its row; an event owed several times, or once and being tried again, has a
// row of its own. A delivery with a key has an index row, by the hash of the
// key, and one that is due later an index row by time. All other rows are
// small: dead letters, dedupe marks, the queues and how much waits in each.
//
// # What is in memory
//
// Holds and positions, nothing that grows with the backlog: of each queue the
// sequence up to which it was read, the end of those that are held, and what
// came back before that position.
//
// # Who writes
//
// Writers encode their events themselves; one goroutine (the committer) gathers
// what waits into one batch, hands it to Pebble, waits for the sync and answers.
// A Settle is written by its caller into the same log without waiting for a
// sync, so that a crash leaves a state that the store once had.
//
// # When the disk fails
//
// No write is tried again on a file that has failed. The store closes the door
// to that Pebble (a fence: nothing of it writes any more), opens another one on
// the same directory, takes back what was never acknowledged, and goes on.
package embedded
