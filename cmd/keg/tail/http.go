package tail

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	nethttp "net/http"
	"strings"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// maxBody is the most that is read of one request, in bytes.
const maxBody = 16 << 20

// http listens on address and shows the events that are sent there. An address
// keeps nothing, so there is nothing to show first.
func http(ctx context.Context, address string, o Options) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	o.Log.Info("listening", "address", "http://"+listener.Addr().String())
	var emit sync.Mutex
	server := &nethttp.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		Handler: nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			batch, err := decode(w, r)
			if err != nil {
				nethttp.Error(w, err.Error(), nethttp.StatusBadRequest)
				o.Log.Warn("a request that cannot be read as an event", "path", r.URL.Path, "error", err)
				return
			}
			emit.Lock()
			defer emit.Unlock()
			for _, entry := range batch.Entries {
				if entry.Err != nil {
					o.Log.Warn("an event of a batch that cannot be read", "path", r.URL.Path, "error", entry.Err)
					continue
				}
				o.Emit(Item{entry.Event, r.URL.Path})
			}
			w.WriteHeader(nethttp.StatusNoContent)
		}),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

func decode(w nethttp.ResponseWriter, r *nethttp.Request) (cloudevents.Batch, error) {
	body, err := io.ReadAll(nethttp.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return cloudevents.Batch{}, err
	}
	headers := keg.Headers{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = values
	}
	return cloudevents.FromRequest(&cloudevents.Request{
		Method: r.Method, Scheme: "http", Host: r.Host, Path: r.URL.Path,
		Headers: headers, Body: body, Received: time.Now(),
	}, cloudevents.Options{MaxBytes: maxBody})
}
