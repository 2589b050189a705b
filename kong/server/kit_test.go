package server_test

import (
	"context"
	"errors"
	"io"
	"testing"

	pdktest "github.com/Kong/go-pdk/test"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/kong/keg/kong/server"
)

// kit is go-pdk's own test kit, as Kong's side of one request.
func kit(t *testing.T) *pdktest.TestEnv {
	t.Helper()
	env, err := pdktest.New(t, pdktest.Request{
		Method:  "POST",
		Url:     "https://example.org/orders?q=search&x=9",
		Headers: map[string][]string{"X-Multi": {"a", "b"}, "Content-Type": {"application/json"}},
		Body:    []byte(`{"a":1}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// withKit runs an access phase whose calls go-pdk's kit answers, and returns
// how the event ended.
func withKit(t *testing.T, access func(context.Context, *server.Call) error) (*pdktest.TestEnv, error) {
	t.Helper()
	env := kit(t)
	k := newKong(t, dial(t, serve(t, server.Options{Plugins: []server.Plugin{echo("p", access)}})))
	id := k.start("p", `{}`)
	command, err := proto.Marshal(eventCommand(id, "access"))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.write(command); err != nil {
		t.Fatal(err)
	}
	for {
		method, err := k.read()
		if err != nil || len(method) == 0 {
			return env, err
		}
		argument, err := k.read()
		if err != nil {
			return env, err
		}
		answer := env.Handle(string(method), argument)
		if string(method) == "kong.response.exit" {
			_ = k.conn.Close()
			return env, errExited
		}
		if err := k.write(answer); err != nil {
			return env, err
		}
	}
}

func TestABatchReadsWhatGoPDKsKitSays(t *testing.T) {
	type request struct {
		Method, Scheme, Host, Path, PathWithQuery, RawQuery, Q, Type, IP, ForwardedIP, Forwarded string
		Multi, X                                                                                 []string
		Body                                                                                     string
	}
	var got request
	_, err := withKit(t, func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		method, scheme, host, path, whole, raw := b.Method(), b.Scheme(), b.Host(), b.Path(), b.PathWithQuery(), b.RawQuery()
		q, contentType, ip, forwardedIP := b.QueryArg("q"), b.Header("Content-Type"), b.ClientIP(), b.ForwardedIP()
		forwarded, forwardedHost := b.ForwardedScheme(), b.ForwardedHost()
		headers, query, body := b.Headers(100), b.Query(100), b.RawBody(100)
		if err := b.Do(); err != nil {
			return err
		}
		got = request{method.Value(), scheme.Value(), host.Value(), path.Value(), whole.Value(), raw.Value(),
			q.Value(), contentType.Value(), ip.Value(), forwardedIP.Value(), forwarded.Value() + "://" + forwardedHost.Value(),
			headers.Value()["x-multi"], query.Value()["x"], string(body.Value())}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := request{"POST", "https", "example.org", "/orders", "/orders?q=search&x=9", "q=search&x=9",
		"search", "application/json", "10.10.10.1", "10.10.10.1", "https://example.org", []string{"a", "b"}, []string{"9"}, `{"a":1}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestABatchTellsGoPDKsKit(t *testing.T) {
	env, err := withKit(t, func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		b.SetHeader("X-Set", "1")
		b.AddHeader("X-Added", "1")
		b.AddHeader("X-Added", "2")
		b.SetHeader("X-Gone", "1")
		b.ClearHeader("X-Gone")
		b.SetStatus(201)
		b.SetServiceHeader("X-Service", "1")
		b.ClearServiceHeader("Content-Type")
		return b.Do()
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"X-Set": {"1"}, "X-Added": {"1", "2"}}, map[string][]string(env.ClientRes.Headers)); diff != "" {
		t.Error(diff)
	}
	if env.ClientRes.Status != 201 || env.ServiceReq.Headers.Get("X-Service") != "1" || env.ServiceReq.Headers.Get("Content-Type") != "" {
		t.Errorf("status %d, to the service %v", env.ClientRes.Status, env.ServiceReq.Headers)
	}
}

func TestAnExitReachesGoPDKsKit(t *testing.T) {
	env, err := withKit(t, func(_ context.Context, c *server.Call) error {
		return c.Exit(418, map[string][]string{"X-Pot": {"tea"}}, []byte("short and stout"))
	})
	if !errors.Is(err, errExited) {
		t.Fatal(err)
	}
	if res := env.ClientRes; res.Status != 418 || res.Headers.Get("X-Pot") != "tea" || string(res.Body) != "short and stout" {
		t.Errorf("the client hears %+v", res)
	}
}

func TestGoPDKsOwnClientWorksOverTheSameConnection(t *testing.T) {
	env, err := withKit(t, func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		method := b.Method()
		if err := b.Do(); err != nil {
			return err
		}
		kong := c.PDK()
		headers, err := kong.Request.GetHeaders(100)
		if err != nil {
			return err
		}
		body, err := kong.Request.GetRawBody()
		if err != nil {
			return err
		}
		if err := kong.Response.SetHeader("X-Seen", method.Value()+headers["x-multi"][1]+string(body)); err != nil {
			return err
		}
		b = c.Batch() // and the other way round
		b.SetHeader("X-After", "1")
		return b.Do()
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := env.ClientRes.Headers.Get("X-Seen"); got != `POSTb{"a":1}` || env.ClientRes.Headers.Get("X-After") != "1" {
		t.Errorf("the kit got %v", env.ClientRes.Headers)
	}
}

func TestGoPDKsExitEndsTheEvent(t *testing.T) {
	exit := make(chan error, 1)
	env, err := withKit(t, func(_ context.Context, c *server.Call) error {
		c.PDK().Response.Exit(204, nil, nil)
		b := c.Batch()
		b.Method()
		exit <- b.Do()
		return nil
	})
	if !errors.Is(err, errExited) || env.ClientRes.Status != 204 {
		t.Errorf("status %d, %v", env.ClientRes.Status, err)
	}
	if err := <-exit; !errors.Is(err, server.ErrExited) {
		t.Errorf("a call after it: %v", err)
	}
}

func TestGoPDKsClientIsProtectedFromClaimedLengths(t *testing.T) {
	seen := make(chan error, 1)
	socket := serve(t, server.Options{MaxFrame: 1000, Plugins: []server.Plugin{echo("p", func(_ context.Context, c *server.Call) error {
		_, err := c.PDK().Log.Serialize()
		seen <- err
		return err
	})}})
	c := dial(t, socket)
	k := newKong(t, c)
	command, _ := proto.Marshal(eventCommand(k.start("p", `{}`), "access"))
	if err := k.write(command); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := k.read(); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = c.Write([]byte{255, 255, 255, 255, 1})
	var tooLarge *server.FrameTooLargeError
	if err := <-seen; !errors.As(err, &tooLarge) {
		t.Errorf("the kit got %v", err)
	}
	if _, err := k.read(); !errors.Is(err, io.EOF) && err == nil {
		t.Errorf("the connection goes on: %v", err)
	}
}

func TestTheKitsEntitiesHaveNames(t *testing.T) {
	_, err := withKit(t, func(_ context.Context, c *server.Call) error {
		b := c.Batch()
		consumer, route, service := b.Consumer(), b.Route(), b.Service()
		if err := b.Do(); err != nil {
			return err
		}
		if diff := cmp.Diff([]string{"Jon Doe", "route_66", "self_service"}, []string{consumer.Name(), route.Name(), service.Name()}); diff != "" {
			t.Error(diff)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
