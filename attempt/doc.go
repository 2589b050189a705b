// Package attempt judges single attempts at a delivery: how long to wait after
// one that failed, and whether its destination is away. The hub asks it for
// deliveries that a sender waits for, and the outbox for those that are stored,
// so that both keep the same promises. It sends nothing.
package attempt
