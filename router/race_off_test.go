//go:build !race

package router

// raceEnabled: the race detector makes sync.Pool forget at random, which
// allocates.
const raceEnabled = false
