// Package ports has TCP addresses that a test knows before anyone listens there,
// as for a server that comes up late or comes back.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// Free is an address on loopback that nobody listens on now. It is none of those
// that test/services gives out, nor of those that the system gives to connections:
// whoever dials such a one while nobody listens may be given it, be connected to
// himself, and keep it from its owner. A process gives each out once.
func Free() (string, error) {
	err := errors.New("no address is free")
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(10_000))
		if _, known := given.LoadOrStore(address, true); known {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", err
}

// given are the addresses that were given out.
var given sync.Map

// Listen takes an address that was free a moment ago, and waits up to ten seconds
// for it: a process that is being started holds every listener of its parent's,
// closed ones too, until it runs its own program.
func Listen(address string) (net.Listener, error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		l, err := net.Listen("tcp", address)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return l, err
		}
	}
}
