package ports_test

import (
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg/test/ports"
)

// A process that is started between fork and exec holds what its parent has
// closed; many are started here.
func TestAnAddressIsTakenWhileProcessesAreStarted(t *testing.T) {
	stop := make(chan struct{})
	var starters sync.WaitGroup
	for range 4 {
		starters.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := exec.Command(os.Args[0], "-test.run", "^$").Run(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 1000 {
		address, err := ports.Free()
		if err != nil {
			t.Error(err)
			break
		}
		l, err := ports.Listen(address)
		if err != nil {
			t.Error(err)
			break
		}
		_ = l.Close()
	}
	close(stop)
	starters.Wait()
}

func TestListenWaitsForItsAddress(t *testing.T) {
	address, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	first, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = first.Close() })
	l, err := ports.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if l, err := ports.Listen("127.0.0.1:x"); err == nil {
		t.Errorf("%v listens", l.Addr())
	}
}
