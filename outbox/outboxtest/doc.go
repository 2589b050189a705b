// Package outboxtest is the suite that every [outbox.Store] passes: each
// sentence of the contract, a store that changes at random beside a model of
// it, and many goroutines at once.
package outboxtest
