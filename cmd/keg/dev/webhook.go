package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxWebhookBody is the most that the receiver reads of one request, in bytes.
const maxWebhookBody = 16 << 20

// Webhook is an HTTP receiver that takes what it is sent and tells of it.
type Webhook struct {
	server   *http.Server
	listener net.Listener
}

// Received is one request that the webhook receiver took.
type Received struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// StartWebhook listens on address (host:port; port 0 picks one), answers every
// request 204, and calls tell for each. Calls of tell may overlap.
func StartWebhook(address string, tell func(Received)) (*Webhook, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("webhook receiver: %w", err)
	}
	w := &Webhook{listener: listener, server: &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhookBody))
			if err != nil {
				var large *http.MaxBytesError
				if errors.As(err, &large) {
					http.Error(w, "larger than this receiver takes", http.StatusRequestEntityTooLarge)
				}
				return
			}
			tell(Received{r.Method, r.URL.Path, r.Header, body})
			w.WriteHeader(http.StatusNoContent)
		}),
	}}
	go func() { _ = w.server.Serve(listener) }() // ends with Close
	return w, nil
}

// Addr is where the receiver listens, host:port.
func (w *Webhook) Addr() string { return w.listener.Addr().String() }

// Close stops taking requests, and waits a second for those under way.
func (w *Webhook) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if w.server.Shutdown(ctx) != nil {
		_ = w.server.Close()
	}
}
