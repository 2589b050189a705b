package sinks

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
)

// A client is opened on a goroutine that no request's recover covers.
func TestAPanicWhileAClientOpensIsThatAttemptsError(t *testing.T) {
	p := newPool(t)
	first := true
	l := mustHold(t, p, "a", func(context.Context) (*testClient, error) {
		if first {
			first = false
			panic("a bug of the library")
		}
		return newTestClient(), nil
	})
	if _, err := l.client(t.Context()); err == nil || strings.Contains(err.Error(), "a bug") {
		t.Errorf("%v", err)
	}
	mustClient(t, l) // the next one tries anew
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAClientThatDoesNotOpenIsAnOutageToAllWhoWaitForIt(t *testing.T) {
	hangs := func(ctx context.Context) (*testClient, error) { <-ctx.Done(); return nil, ctx.Err() }
	fails := func(err error) func(context.Context) (*testClient, error) {
		return func(context.Context) (*testClient, error) { return nil, err }
	}
	for name, test := range map[string]struct {
		dial func(context.Context) (*testClient, error)
		want string
	}{
		"refused":                        {fails(errors.New("refused")), "outage"},
		"marked already":                 {fails(keg.Unreachable(errors.New("refused"))), "outage"},
		"an address that is not allowed": {fails(keg.Permanent(errors.New("metadata"))), "permanent"},
		"a panic":                        {func(context.Context) (*testClient, error) { panic("a bug of the library") }, "outage"},
		"not in time":                    {hangs, "outage"},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustHold(t, newPool(t), "a", test.dial)
			var waiting sync.WaitGroup
			for range 5 {
				waiting.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
					defer cancel()
					if _, err := l.client(ctx); class(err) != test.want {
						t.Errorf("%v is %s, want %s", err, class(err), test.want)
					}
				})
			}
			waiting.Wait()
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := l.client(t.Context()); class(err) != "outage" || !errors.Is(err, errClosed) {
				t.Errorf("of a closed lease: %v", err)
			}
		})
	}
}
