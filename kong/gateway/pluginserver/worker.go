package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// claimWait is how long a request waits for another one that is starting the
// same instance.
const claimWait = 10 * time.Second

// worker is one of Kong's worker processes, as one plugin sees it.
type worker struct {
	plugin   string
	pool     *pool
	timeouts Timeouts

	mu        sync.Mutex
	sequence  int64 // of the last call
	instances map[string]*instance
}

// instance is a started instance, or one that is being started.
type instance struct {
	seq     int
	id      int32
	started chan struct{} // closed when id is known or the start has failed
	err     error
}

// instanceFor returns the id of the entity's instance, and starts it where
// there is none, or closes the one of an older configuration after the new one
// has started.
func (w *worker) instanceFor(ctx context.Context, e Entity) (int32, error) {
	waited := time.NewTimer(claimWait)
	defer waited.Stop()
	for {
		w.mu.Lock()
		current := w.instances[e.ID]
		if current == nil || current.isReady() && current.seq != e.Seq {
			next := &instance{seq: e.Seq, started: make(chan struct{})}
			w.instances[e.ID] = next
			w.mu.Unlock()
			return w.replace(ctx, e, current, next)
		}
		w.mu.Unlock()
		select {
		case <-current.started:
			if current.err != nil {
				continue // it is no longer in the map
			}
			if current.seq == e.Seq {
				return current.id, nil
			}
		case <-waited.C:
			return 0, fmt.Errorf("could not claim instance_id for %s (key: %s)", w.plugin, e.ID)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (i *instance) isReady() bool {
	select {
	case <-i.started:
		return true
	default:
		return false
	}
}

func (w *worker) replace(ctx context.Context, e Entity, old, next *instance) (int32, error) {
	next.id, next.err = w.start(ctx, e)
	if next.err != nil {
		w.mu.Lock()
		if w.instances[e.ID] == next {
			delete(w.instances, e.ID)
		}
		w.mu.Unlock()
		close(next.started)
		return 0, next.err
	}
	close(next.started)
	if old != nil {
		// An error is no matter: the plugin may have lost it already.
		_, _ = w.command(ctx, &kong_plugin_protocol.RpcCall{Call: &kong_plugin_protocol.RpcCall_CmdCloseInstance{
			CmdCloseInstance: &kong_plugin_protocol.CmdCloseInstance{InstanceId: old.id}}})
	}
	return next.id, nil
}

func (w *worker) start(ctx context.Context, e Entity) (int32, error) {
	reply, err := w.command(ctx, &kong_plugin_protocol.RpcCall{Call: &kong_plugin_protocol.RpcCall_CmdStartInstance{
		CmdStartInstance: &kong_plugin_protocol.CmdStartInstance{Name: w.plugin, Config: e.Config}}})
	if err != nil {
		return 0, err
	}
	status := reply.GetInstanceStatus()
	if status == nil {
		return 0, errors.New("the answer to cmd_start_instance has no instance_status")
	}
	return status.InstanceId, nil
}

func (w *worker) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, i := range w.instances {
		if i.isReady() {
			delete(w.instances, id)
		}
	}
}

// command sends one call that is no event, and reads its answer.
func (w *worker) command(ctx context.Context, call *kong_plugin_protocol.RpcCall) (*kong_plugin_protocol.RpcReturn, error) {
	conn, err := w.pool.take(ctx, w.timeouts.Connect)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	reply, err := w.exchange(conn, call, nil)
	if err != nil {
		conn.Close()
		return nil, err
	}
	w.pool.put(conn)
	return reply, nil
}

// numbered gives the call its number, which Kong counts for each plugin and worker.
func (w *worker) numbered(call *kong_plugin_protocol.RpcCall) ([]byte, error) {
	w.mu.Lock()
	w.sequence++
	call.Sequence = w.sequence
	w.mu.Unlock()
	return proto.Marshal(call)
}
