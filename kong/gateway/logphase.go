package gateway

import (
	"io"
	"slices"

	"github.com/kong/keg/kong/gateway/pluginserver"
)

// maxLogPhases bounds the log phases that wait or run; beyond it they are lost,
// as Kong loses timers beyond 16,384.
const maxLogPhases = 16384

// log runs the log phase of every plugin that was on the request, after the
// answer has been sent.
func (e *exchange) log() {
	e.phase = "log"
	if !slices.ContainsFunc(e.chain, func(a *applied) bool { return a.has("log") && a.remote != nil }) {
		return
	}
	select {
	case e.g.logs <- struct{}{}:
	default:
		e.g.log.Warn("too many log phases are under way: one is lost", "request_id", e.id)
		return
	}
	e.g.background.Go(func() {
		defer func() { <-e.g.logs }()
		for _, a := range e.chain {
			if !a.has("log") || a.remote == nil {
				continue
			}
			e.running = a
			event := &logged{exchange: e}
			if err := a.remote.Handle(e.g.hard, e.worker, a.wire, "log", event); err != nil {
				e.g.logFailure(e, err)
			}
			closeAll(event.kept)
		}
	})
}

// logged answers PDK calls after the request.
type logged struct {
	*exchange
	kept []io.Closer
}

var _ pluginserver.Caller = (*logged)(nil)

func (l *logged) Call(name string, argument []byte) ([]byte, error) {
	return l.call(name, argument, true)
}

func (l *logged) Keep(c io.Closer) { l.kept = append(l.kept, c) }
