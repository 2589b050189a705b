package sinks

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/kong/keg"
)

func TestHTTPNeverFollowsARedirect(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		for _, to := range []string{"/elsewhere", "http://169.254.169.254/latest/meta-data/", "//169.254.170.2/", "http://[fd00:ec2::254]/", "http://[::ffff:a9fe:a9fe]/", ""} {
			var asked atomic.Int32
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			})
			err := sendOne(t, sinkTo(t, server.URL, nil), webhook("1"))
			if class(err) != "permanent" || asked.Load() != 1 {
				t.Errorf("%d to %q: %v after %d requests, want a permanent error after one", status, to, err, asked.Load())
			}
		}
	}
}

func TestHTTPTakesNoProxyFromTheEnvironment(t *testing.T) {
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	// A name that net/http would not exempt, unlike 127.0.0.1.
	_ = sendOne(t, sinkTo(t, strings.Replace(server.URL, "127.0.0.1", "127.0.0.1.invalid", 1), nil), webhook("1"))
}

func TestHTTPAddressesThatAreNotConnectedTo(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, tt := range []struct {
		name, address string
		private       bool
	}{
		{"loopback without allow_private", server.URL, false},
		{"a name of loopback without allow_private", "http://localhost:" + port, false},
		{"loopback in IPv6 without allow_private", "http://[::1]:" + port, false},
		{"metadata", "http://169.254.169.254/latest/meta-data/", true},
		{"metadata, mapped", "http://[::ffff:169.254.169.254]/", true},
		{"metadata, NAT64", "http://[64:ff9b::a9fe:a9fe]/", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sink := sinkTo(t, tt.address, func(_ *keg.Destination, h *HTTP) { h.AllowPrivate = tt.private })
			if err := sendOne(t, sink, webhook("1")); !keg.IsPermanent(err) {
				t.Errorf("%v, want a permanent error", err)
			}
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	secret := signingSecret(32)
	for _, tt := range []struct {
		name   string
		change func(d *keg.Destination, h *HTTP)
		event  func(e *keg.Event)
		check  func(r *http.Request, body []byte) error
	}{
		{"is a POST to the address, query and all", nil, nil, func(r *http.Request, body []byte) error {
			return want(r.Method+" "+r.RequestURI+" "+string(body), `POST /hooks?k=v {"n":1}`)
		}},
		{"has a length", nil, nil, func(r *http.Request, _ []byte) error {
			return want(fmt.Sprint(r.ContentLength, r.TransferEncoding), "7 []")
		}},
		{"has no body where the event has no data", nil, func(e *keg.Event) { e.Data = nil }, func(r *http.Request, body []byte) error {
			return want(fmt.Sprint(r.ContentLength, len(body)), "0 0")
		}},
		{"another method", func(_ *keg.Destination, h *HTTP) { h.Method = "PUT" }, nil, func(r *http.Request, _ []byte) error {
			return want(r.Method, "PUT")
		}},
		{"bearer", func(_ *keg.Destination, h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret("abc")} }, nil, func(r *http.Request, _ []byte) error {
			return want(r.Header.Get("Authorization"), "Bearer abc")
		}},
		{"basic", func(_ *keg.Destination, h *HTTP) { h.Auth = &HTTPAuth{Username: "u", Password: keg.NewSecret("p:q")} }, nil, func(r *http.Request, _ []byte) error {
			user, password, ok := r.BasicAuth()
			return want(fmt.Sprint(user, " ", password, ok), "u p:qtrue")
		}},
		{"auth goes over an event's own", func(_ *keg.Destination, h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret("abc")} },
			func(e *keg.Event) { e.Headers = keg.Headers{"authorization": {"Bearer of-the-sender"}} },
			func(r *http.Request, _ []byte) error {
				return want(strings.Join(r.Header.Values("Authorization"), ","), "Bearer abc")
			}},
		{"fixed headers go over an event's own", func(d *keg.Destination, _ *HTTP) {
			d.Headers = map[string]keg.Secret{"x-tenant": keg.NewSecret("blue")}
		},
			func(e *keg.Event) { e.Headers = keg.Headers{"x-tenant": {"red", "green"}, "x-other": {"1"}} },
			func(r *http.Request, _ []byte) error {
				return want(strings.Join(r.Header.Values("X-Tenant"), ",")+" "+r.Header.Get("X-Other"), "blue 1")
			}},
		{"no header breaks out of its line", nil,
			func(e *keg.Event) { e.Headers = keg.Headers{"x-a": {"1\r\nX-Forged: 1"}, "x-b\r\nx-forged": {"1"}} },
			func(r *http.Request, _ []byte) error { return want(r.Header.Get("X-Forged"), "") }},
		{"no header of another hop is forwarded", nil,
			func(e *keg.Event) {
				e.Headers = keg.Headers{"connection": {"close, x-hop"}, "transfer-encoding": {"chunked"}, "content-length": {"9"}, "host": {"evil"}, "te": {"trailers"}, "upgrade": {"h2c"}, "expect": {"100-continue"}}
			},
			func(r *http.Request, _ []byte) error {
				return want(fmt.Sprint(r.Header.Get("Connection"), r.TransferEncoding, r.ContentLength, r.Header.Get("Te"), r.Header.Get("Upgrade"), r.Header.Get("Expect"), strings.Contains(r.Host, "evil")), "[] 7false")
			}},
		{"says who it is", nil, nil, func(r *http.Request, _ []byte) error { return want(r.UserAgent(), "KEG") }},
		{"no key to repeat itself by is sent", nil, nil, func(r *http.Request, _ []byte) error {
			return want(fmt.Sprint(r.Header["Idempotency-Key"]), "[]")
		}},
		{"no compressed answer is asked for", nil, nil, func(r *http.Request, _ []byte) error {
			return want(r.Header.Get("Accept-Encoding"), "")
		}},
		{"signed", func(_ *keg.Destination, h *HTTP) { h.Signing = &HTTPSigning{Secret: []keg.Secret{secret}} },
			func(e *keg.Event) {
				e.Headers = keg.Headers{"webhook-id": {"forged"}, "webhook-signature": {"v1,forged"}}
			},
			func(r *http.Request, body []byte) error {
				verifier, err := webhooks.NewWebhook(secret.Reveal())
				if err != nil {
					return err
				}
				return errors.Join(verifier.Verify(body, r.Header), want(strings.Join(r.Header.Values("Webhook-Id"), ","), "order-7"))
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var problem error
			server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				problem = errors.Join(err, tt.check(r, body))
			})
			e := webhook("order-7")
			if tt.event != nil {
				tt.event(e)
			}
			if err := sendOne(t, sinkTo(t, server.URL+"/hooks?k=v", tt.change), e); err != nil {
				t.Fatal(err)
			}
			if problem != nil {
				t.Error(problem)
			}
		})
	}
}

func want(got, want string) error {
	if got != want {
		return fmt.Errorf("%q, want %q", got, want)
	}
	return nil
}

func TestHTTPErrorsShowNoSecret(t *testing.T) {
	const secret = "hunter2hunter2"
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		// A debugging receiver: it sends back all that it got.
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(400)
		user, password, _ := r.BasicAuth()
		fmt.Fprint(w, r.RequestURI, user, password, r.Header)
	})
	away := httptest.NewServer(nil)
	away.Close()
	for _, tt := range []struct {
		name, address string
		change        func(d *keg.Destination, h *HTTP)
	}{
		{"a query", server.URL + "/x?token=" + secret, nil},
		{"a query, and nobody there", away.URL + "/x?token=" + secret, nil},
		{"a bearer", server.URL, func(_ *keg.Destination, h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret(secret)} }},
		{"a password", server.URL, func(_ *keg.Destination, h *HTTP) {
			h.Auth = &HTTPAuth{Username: "u", Password: keg.NewSecret(secret)}
		}},
		{"a header", server.URL, func(d *keg.Destination, _ *HTTP) {
			d.Headers = map[string]keg.Secret{"X-Api-Key": keg.NewSecret(secret)}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := webhook("1")
			e.Headers = keg.Headers{"cookie": {"session=" + secret}}
			err := sendOne(t, sinkTo(t, tt.address, tt.change), e)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v shows the secret", err)
			}
		})
	}
}

func BenchmarkHTTPSend(b *testing.B) {
	server := serve(b, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for _, signing := range []bool{false, true} {
		b.Run(fmt.Sprintf("signed=%v", signing), func(b *testing.B) {
			sink := sinkTo(b, server.URL, func(_ *keg.Destination, h *HTTP) {
				if signing {
					h.Signing = &HTTPSigning{Secret: []keg.Secret{signingSecret(32)}}
				}
			})
			e := webhook("1")
			e.Data = make([]byte, 1024)
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := sendOne(b, sink, e); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
