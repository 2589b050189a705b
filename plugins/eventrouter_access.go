package plugins

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
	"github.com/kong/keg/cloudevents"
	"github.com/kong/keg/kong/server"
)

// Access makes events of the request, publishes them, and answers.
func (r *eventRouterInstance) Access(ctx context.Context, c *server.Call) error {
	received := time.Now()
	request, err := r.ask(c)
	if request == nil || errors.Is(err, server.ErrGone) {
		return err // there is nobody to answer
	}
	if r.handshake != nil {
		if a, ok := r.handshake.grant(request.Method, request.Headers); ok {
			if a.Status != http.StatusOK {
				r.refusals.Note(ctx, a, "a handshake was refused", slog.String("request", request.ID))
			}
			return c.Exit(a.Status, a.Headers, a.Body)
		}
	}
	var challenge string
	if err == nil && r.verifier != nil {
		challenge, err = r.verify(request)
	}
	if challenge != "" {
		a := challenged(challenge)
		return c.Exit(a.Status, a.Headers, a.Body)
	}
	var batch cloudevents.Batch
	if err == nil {
		request.Received = received
		batch, err = cloudevents.FromRequest(request, r.events)
	}
	if err != nil {
		a := answer.Problem(err)
		r.rejected(eventRouterName, err)
		r.refused(ctx, request, a, 1, 1, "", err)
		return c.Exit(a.Status, a.Headers, a.Body)
	}
	for _, entry := range batch.Entries {
		if entry.Err != nil {
			r.rejected(eventRouterName, entry.Err)
		}
	}
	receipts := batch.Publish(ctx, r.port.Publish)
	refused, first := receipts.Refused()
	if refused == 0 && r.goesOn {
		return nil
	}
	a := answer.Of(receipts, batch.IsBatch)
	if refused > 0 {
		r.refused(ctx, request, a, refused, len(receipts), first.ID, first.Err)
	}
	return c.Exit(a.Status, a.Headers, a.Body)
}

// ask fetches the request from Kong, no more of it than decoding needs, in one
// exchange. Without a request its error ends the call; with one, the error is
// what the sender is to hear.
func (r *eventRouterInstance) ask(c *server.Call) (*cloudevents.Request, error) {
	b := c.Batch()
	headers := b.Headers(server.MostHeaders)
	body := b.RawBody(r.events.MaxBytes)
	id := b.Var("kong_request_id")
	var line server.Text
	wantsLine := r.events.Source == "" || r.handshake != nil
	if wantsLine {
		line = b.Var("request")
	}
	known := r.knows.ask(b)
	err := b.Do()
	if headers.Value() == nil { // not even the first answer came
		return nil, err
	}
	request := &cloudevents.Request{Headers: headers.Value(), Body: body.Value(), ID: id.Value(), Attributes: known.attributes()}
	request.Host = request.Headers.Get("host")
	if wantsLine {
		request.Method, request.Path = requestLine(line.Value())
	}
	var tooLarge *server.BodyTooLargeError
	switch {
	case errors.As(err, &tooLarge):
		return request, &keg.TooLargeError{What: "body", Limit: tooLarge.Limit, Unit: "bytes"}
	case err != nil:
		return request, err
	case fields(request.Headers) >= server.MostHeaders: // Kong drops the rest without a word
		return request, &keg.TooLargeError{What: "header section", Limit: server.MostHeaders - 1, Unit: "fields"}
	}
	if n := headers.GivenUp(); n > 0 {
		r.log.Debug("headers that no event can carry were left out", "request", request.ID, "headers", n)
	}
	return request, nil
}

func fields(h keg.Headers) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// requestLine reads the method and the path, escapes and all, of an HTTP
// request line: "POST /events?a=b HTTP/1.1".
func requestLine(line string) (method, path string) {
	method, target, _ := strings.Cut(line, " ")
	if i := strings.LastIndexByte(target, ' '); i >= 0 {
		target = target[:i]
	}
	if _, rest, ok := strings.Cut(target, "://"); ok && !strings.HasPrefix(target, "/") { // absolute form
		_, target, _ = strings.Cut(rest, "/")
		target = "/" + target
	}
	path, _, _ = strings.Cut(target, "?")
	return method, path
}

// refused logs one line for a request of which events were refused, with the
// first one's reason.
func (r *eventRouterInstance) refused(ctx context.Context, request *cloudevents.Request, a answer.Answer, count, of int, id string, err error) {
	attributes := []slog.Attr{slog.Int("status", a.Status), slog.String("request", request.ID), slog.String("id", id), slog.Any("error", err)}
	if of > 1 {
		attributes = append(attributes, slog.Int("refused", count), slog.Int("events", of))
	}
	r.refusals.Note(ctx, a, "an event was refused", attributes...)
}
