//go:build race

package embedded_test

// raced: the race detector takes memory and time of its own.
const raced = true
