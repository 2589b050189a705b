package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kong/keg/outbox"
)

// Client asks a running node's status listener.
type Client struct {
	base string
	http *http.Client
}

var _ DeadLetters = (*Client)(nil)

// maxAnswer bounds an answer that is read whole.
const maxAnswer = 256 << 20

// NewClient asks the node whose status listener has that address, as
// [ParseListen] returned it. It goes there without a proxy. It dials nothing yet;
// Close ends its connections.
func NewClient(address string) *Client {
	transport := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		ResponseHeaderTimeout:  time.Minute, // a page of a large store takes its time
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return &Client{"http://" + dialAddress(address), &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends the client's idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// OfThisMachine tells that the node, if it runs, runs on this machine.
func (c *Client) OfThisMachine() bool {
	return isLoopbackHost(strings.TrimPrefix(c.base, "http://"))
}

// RefusedError is a node's answer that it did not do what it was asked.
type RefusedError struct {
	Status int
	Detail string
}

func (e *RefusedError) Error() string { return e.Detail }

var errStranger = errors.New("what answers there is no KEG node")

// Live returns nil where the node's process answers.
func (c *Client) Live(ctx context.Context) error {
	var answer struct{ Status string }
	err := c.get(ctx, "/livez", &answer)
	if err == nil && answer.Status != "ok" {
		return errStranger
	}
	return err
}

// Readiness asks the node how it is, ready or not.
func (c *Client) Readiness(ctx context.Context) (r Readiness, err error) {
	response, err := c.do(ctx, http.MethodGet, "/readyz", nil)
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK && !isReport(response) {
		return r, refusal(response)
	}
	return r, decode(response.Body, &r)
}

// isReport tells a node that is not ready from one that refuses to say.
func isReport(r *http.Response) bool {
	return r.StatusCode == http.StatusServiceUnavailable && r.Header.Get("Content-Type") == "application/json"
}

// List is of [DeadLetters].
func (c *Client) List(ctx context.Context, f outbox.Filter, after string, limit int, data bool) (p Page, err error) {
	return p, c.get(ctx, deadLettersPath+"?"+listQuery{f, after, limit, data}.values().Encode(), &p)
}

// Show is of [DeadLetters].
func (c *Client) Show(ctx context.Context, id string) (*DeadLetter, error) {
	d := new(DeadLetter)
	err := c.get(ctx, deadLettersPath+"/"+url.PathEscape(id), d)
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Detail == outbox.ErrNotFound.Error() {
		return nil, outbox.ErrNotFound
	}
	return d, err
}

// Replay is of [DeadLetters].
func (c *Client) Replay(ctx context.Context, s Selection, report func(Progress)) (Progress, error) {
	return c.work(ctx, replayPath, s, report)
}

// Drop is of [DeadLetters].
func (c *Client) Drop(ctx context.Context, s Selection, report func(Progress)) (Progress, error) {
	return c.work(ctx, dropPath, s, report)
}

// work reads the lines of an answer. One that ends without saying how it ended
// is an error: the node has gone away in the middle.
func (c *Client) work(ctx context.Context, path string, s Selection, tell func(Progress)) (p Progress, err error) {
	text := selectionText{filterText: textOf(s.Filter), IDs: s.IDs, Limit: s.Limit, ThroughRoutes: s.ThroughRoutes}
	text.All = len(s.IDs) == 0 && s.Filter == outbox.Filter{}
	response, err := c.do(ctx, http.MethodPost, path, text)
	if err != nil {
		return p, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return p, refusal(response)
	}
	for decoder := json.NewDecoder(response.Body); ; {
		var r report
		if err := decoder.Decode(&r); err != nil {
			if ctx.Err() != nil {
				return p, ctx.Err()
			}
			return p, fmt.Errorf("the node stopped answering before it was done: %w", err)
		}
		p = r.Progress
		switch r.State {
		case "done":
			return p, nil
		case "failed":
			return p, &RefusedError{http.StatusServiceUnavailable, r.Error}
		}
		tell(p)
	}
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	response, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal(response)
	}
	return decode(response.Body, into)
}

// do sends a request, with a body of JSON where there is one.
func (c *Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return c.http.Do(request)
}

func decode(body io.Reader, into any) error {
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("the answer is none of a KEG node: %w", err)
	}
	return nil
}

// refusal reads a problem (RFC 9457), of which a stranger's answer has none.
func refusal(r *http.Response) error {
	var problem struct{ Detail string }
	if r.Header.Get("Content-Type") != "application/problem+json" || decode(io.LimitReader(r.Body, maxBody), &problem) != nil || problem.Detail == "" {
		return &RefusedError{r.StatusCode, "what answers there is no KEG node: " + r.Status}
	}
	return &RefusedError{r.StatusCode, problem.Detail}
}
