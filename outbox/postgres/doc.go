// Package postgres keeps the outbox in PostgreSQL 12 or later, one database for
// all nodes.
//
// A [Store] is one node: a row of table nodes, which it keeps alive. What it
// holds carries the node's id, so that a hold costs no row of its own; when a
// node has not been heard of for its lease, another one frees what it held, and
// whatever the lost node then settles changes nothing. Every transaction that
// makes or ends holds first locks the node's row (FOR KEY SHARE), and taking a
// node over locks it FOR UPDATE: either sees the other whole.
//
// A delivery's place in line is the column holder: a node's id while it is held,
// or one of ready, waiting (due later) and blocked (behind another of its key).
// Only heads of keys are ever ready, so that a Claim reads what it hands out and
// nothing else, however long a key's line is. Transactions that make or end
// heads lock the row of their queue, which puts the queue's line into the order
// of its commits.
//
// Puts are committed in groups. A group counts its writer's row up by one in the
// same transaction: where a connection is lost while it commits, doing the same
// again finds out whether the first one went through, and never doubles it.
package postgres
