// Package console is what a node tells of itself, and lets be done to it, over a
// listener that is for its keepers and no one else: whether it lives and is
// ready, its metrics, and the dead letters that it keeps.
//
// A [Server] answers over HTTP what a [Node] knows; [Metrics] counts what the
// hub and the dispatcher tell it. [DeadLetters] is the same work twice: [Kept]
// does it on a store that is open in this process, [Client] asks a running node.
package console
