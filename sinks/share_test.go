package sinks

import (
	"context"
	"strings"
	"testing"
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
