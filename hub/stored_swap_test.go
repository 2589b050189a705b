package hub

import (
	"fmt"
	"sync"
	"testing"
)

func TestTablesAreSwappedUnderWhatIsStored(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	if err := k.SetTable(all(t, "a", "b")); err != nil {
		t.Fatal(err)
	}
	k.Start()
	node := k.port(t, PortOptions{})
	own := k.port(t, PortOptions{Table: all(t, "c"), Scope: "plugin-7"})
	stop := make(chan struct{})
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := k.SetTable(all(t, "a", "b")); err != nil {
				t.Error(err)
			}
			another := k.port(t, PortOptions{Table: all(t, "c"), Scope: "plugin-7"})
			if err := another.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	const each = 300
	var senders sync.WaitGroup
	for _, p := range []*Port{node, own} {
		senders.Go(func() {
			for i := range each {
				if r := p.Publish(t.Context(), event(fmt.Sprint(i)))[0]; r.Err != nil {
					t.Error(r.Err)
				}
			}
		})
	}
	senders.Wait()
	close(stop)
	swaps.Wait()
	until(t, "all are settled", func() bool { n, _ := k.dispatcher.Held(); return n == 0 && k.Stats().Delivered >= 3*each })
	for _, address := range []string{"a", "b", "c"} {
		if n := len(k.got(address)); n != each {
			t.Errorf("%s has %d", address, n)
		}
	}
	if s := k.Stats(); s.Panics != 0 || s.DeadLettered != 0 || s.Delivered != 3*each {
		t.Errorf("%+v", s)
	}
}
