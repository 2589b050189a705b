package plugins

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/kong/keg"
	"github.com/kong/keg/kong/server"
)

// kafkaRequest is what a record is made of, as far as it was asked for.
type kafkaRequest struct {
	id, method, uri, query, contentType string
	headers                             keg.Headers
	body                                []byte
}

// Access makes a record of the request, sends it, and answers.
func (u *kafkaUpstreamInstance) Access(ctx context.Context, c *server.Call) error {
	r, err := u.ask(c)
	if errors.Is(err, server.ErrGone) {
		return err // there is nobody to answer
	}
	var events []*keg.Event
	if err == nil {
		events, err = u.events(r)
	}
	if err != nil {
		u.rejected(kafkaUpstreamName, err)
	} else {
		err = u.send(ctx, events)
	}
	a := u.answer(err)
	if err != nil {
		u.log.Log(ctx, a.Level(), "a request was refused", "status", a.Status, "request", r.id, "error", err)
	}
	return c.Exit(a.Status, a.Headers, a.Body)
}

// ask fetches the request from Kong, no more of it than the config needs, in one
// exchange.
func (u *kafkaUpstreamInstance) ask(c *server.Call) (*kafkaRequest, error) {
	b := c.Batch()
	var method, uri, query, contentType server.Text
	var headers server.Headers
	var body server.Body
	id := b.Var("kong_request_id")
	if u.config.ForwardMethod {
		method = b.Method()
	}
	if u.config.ForwardURI {
		uri = b.Var("request_uri")
	}
	asksQuery := u.config.ForwardURI || u.topics != nil || u.config.KeyQueryArg != ""
	if asksQuery { // raw: Kong's own reading loses arguments without a value
		query = b.RawQuery()
	}
	asksHeaders := u.config.ForwardHeaders || u.headers.any()
	switch {
	case asksHeaders:
		headers = b.Headers(server.MostHeaders)
	case u.config.ForwardBody:
		contentType = b.Header("content-type")
	}
	if u.config.ForwardBody {
		body = b.RawBody(int64(u.config.recordBytes()))
	}
	err := b.Do()
	r := &kafkaRequest{}
	if errors.Is(err, server.ErrGone) {
		return r, err
	}
	if r.id = id.Value(); r.id == "" {
		r.id = uuid.Must(uuid.NewV7()).String()
	}
	if u.config.ForwardMethod {
		r.method = method.Value()
	}
	if u.config.ForwardURI {
		r.uri = uri.Value()
	}
	if asksQuery {
		r.query = query.Value()
	}
	switch {
	case asksHeaders:
		r.headers = headers.Value()
		r.contentType = r.headers.Get("content-type")
		if fields(r.headers) >= server.MostHeaders { // Kong drops the rest without a word
			err = errors.Join(err, &keg.TooLargeError{What: "header section", Limit: server.MostHeaders - 1, Unit: "fields"})
		}
	case u.config.ForwardBody:
		r.contentType = contentType.Value()
	}
	if u.config.ForwardBody {
		r.body = body.Value()
	}
	if tooLarge, ok := errors.AsType[*server.BodyTooLargeError](err); ok {
		err = &keg.TooLargeError{What: "body", Limit: tooLarge.Limit, Unit: "bytes (producer_request_limits_bytes_per_request)"}
	}
	return r, err
}

// events are one for each topic that the request's record goes to.
func (u *kafkaUpstreamInstance) events(r *kafkaRequest) ([]*keg.Event, error) {
	topics, err := u.topicsOf(r)
	if err != nil {
		return nil, err
	}
	data, err := u.record(r)
	if err != nil {
		return nil, err
	}
	// But for the data and the headers, what it has is for KEG's own logs and dead
	// letters: the record's format is raw. A request that Kong runs again has the
	// same id.
	first := &keg.Event{ID: r.id, Source: "//kong/" + kafkaUpstreamName, Type: "http.request", Data: data, Headers: u.headers.of(r.headers)}
	if u.config.KeyQueryArg != "" {
		if err := setKey(first, firstArg(r.query, u.config.KeyQueryArg)); err != nil {
			return nil, err
		}
	}
	if err := fits(first, u.config.recordBytes()); err != nil {
		return nil, err
	}
	if u.topics == nil {
		return []*keg.Event{first}, nil
	}
	events := make([]*keg.Event, len(topics))
	for i, topic := range topics {
		e := first.Clone()
		if i > 0 {
			e.ID = fmt.Sprintf("%s-%d", first.ID, i+1)
		}
		setExtension(e, topicAttribute, topic)
		events[i] = e
	}
	return events, nil
}

// topicsOf are those that the client names, each once, and the config's where it
// names none.
func (u *kafkaUpstreamInstance) topicsOf(r *kafkaRequest) ([]string, error) {
	var topics []string
	seen := map[string]bool{}
	if u.topics != nil {
		for topic := range strings.SplitSeq(firstArg(r.query, u.config.TopicsQueryArg), ",") {
			topic = strings.TrimSpace(topic)
			switch {
			case topic == "" || seen[topic]:
				continue
			case !u.topics[topic]:
				return nil, &keg.InvalidError{Attribute: u.config.TopicsQueryArg, Problem: "names a topic that is not allowed"}
			}
			seen[topic] = true
			topics = append(topics, topic)
		}
	}
	if len(topics) == 0 {
		topics = []string{u.config.Topic}
	}
	return topics, nil
}

// send hands the events over and waits as long as the config says.
func (u *kafkaUpstreamInstance) send(ctx context.Context, events []*keg.Event) error {
	if u.queue != nil {
		err := u.put(events...)
		if err != nil { // the hub counts what it is given
			u.rejected(kafkaUpstreamName, err)
		}
		return err
	}
	var errs []error
	for _, r := range u.port.Publish(ctx, events...) {
		errs = append(errs, sendError(r))
	}
	return errors.Join(errs...)
}

// sendError is a receipt's error; that of an attempt is a [*failedError], so that a
// broker which is away is told from a node which has no room.
func sendError(r keg.Receipt) error {
	if r.Err == nil || len(r.Deliveries) == 0 {
		return r.Err
	}
	return &failedError{r.Err}
}

// failedError: the cluster did not take a record.
type failedError struct{ err error }

func (e *failedError) Error() string { return e.err.Error() }
func (e *failedError) Unwrap() error { return e.err }
