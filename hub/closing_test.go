package hub

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
)

// TestCloseUnderLoad closes ports, and then the hub, while events come in by
// all of them and the node's table is swapped. Fakes panic where one is used
// after it was closed, or closed while it is used.
func TestCloseUnderLoad(t *testing.T) {
	for _, ack := range []keg.Ack{keg.AckDelivered, keg.AckNone} {
		t.Run(string(ack), func(t *testing.T) {
			k := newKit(t, Options{Observe: func(Trace) {}})
			var yes, turn atomic.Int64
			var senders sync.WaitGroup
			send := func(p *Port) {
				senders.Go(func() {
					for i, patience := 0, time.Now().Add(time.Minute); time.Now().Before(patience); i++ {
						r := p.Publish(t.Context(), event(strconv.Itoa(i)))[0]
						var busy *keg.BusyError
						switch {
						case r.Err == nil:
							yes.Add(int64(len(r.Routes)))
						case !errors.As(r.Err, &busy):
							t.Errorf("%+v", r)
							return
						case !strings.HasPrefix(busy.Problem, "too much is in flight"): // shut, and so it stays
							return
						}
						turn.Add(1)
					}
					t.Error("the port never closed")
				})
			}
			progress := func() { // so that something happens between two steps
				for from := turn.Load(); turn.Load() < from+50; {
				}
			}
			if err := k.SetTable(all(t, "a")); err != nil {
				t.Fatal(err)
			}
			own, node := k.port(t, PortOptions{Table: all(t, "b"), Ack: ack}), k.port(t, PortOptions{Ack: ack})
			send(own)
			send(node)
			send(node)
			progress()
			if err := own.Close(t.Context()); err != nil {
				t.Error(err)
			}
			for range 20 {
				if err := k.SetTable(all(t, "a")); err != nil {
					t.Error(err)
				}
				progress()
			}
			swapped := make(chan struct{})
			go func() {
				defer close(swapped)
				for k.SetTable(all(t, "a")) == nil {
				}
			}()
			progress()
			if err := k.Close(t.Context()); err != nil {
				t.Error(err)
			}
			senders.Wait()
			<-swapped
			if got := int64(len(k.got("a")) + len(k.got("b"))); got != yes.Load() || k.Stats().Lost != 0 {
				t.Errorf("%d events were taken, %d delivered, %+v", yes.Load(), got, k.Stats())
			}
		})
	}
}
