package sinks

import (
	"errors"
	"strings"
	"testing"

	"github.com/kong/keg"
)

// fieldProblems are the paths and problems of a joined error of Validate.
func fieldProblems(t *testing.T, err error) map[string]string {
	t.Helper()
	found := map[string]string{}
	var walk func(error)
	walk = func(err error) {
		var field *keg.FieldError
		switch joined, ok := err.(interface{ Unwrap() []error }); {
		case err == nil:
		case ok:
			for _, err := range joined.Unwrap() {
				walk(err)
			}
		case errors.As(err, &field):
			found[field.Path] = field.Problem
		default:
			t.Errorf("%v is no *keg.FieldError", err)
		}
	}
	walk(err)
	return found
}

func TestHTTPValidate(t *testing.T) {
	const secret = "hunter2hunter2"
	good := func() *HTTP { return &HTTP{Address: "https://audit.internal/events", Method: "POST"} }
	for _, tt := range []struct {
		name    string
		change  func(h *HTTP)
		path    string // "": accepted
		problem string
	}{
		{"the example of the routes file", func(*HTTP) {}, "", ""},
		{"plain http, a port and a query", func(h *HTTP) { h.Address = "http://127.0.0.1:8070/x?tenant=1" }, "", ""},
		{"IPv6", func(h *HTTP) { h.Address = "http://[::1]:8070" }, "", ""},
		{"PUT", func(h *HTTP) { h.Method = "PUT" }, "", ""},
		{"PATCH", func(h *HTTP) { h.Method = "PATCH" }, "", ""},
		{"bearer", func(h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret(secret)} }, "", ""},
		{"basic", func(h *HTTP) { h.Auth = &HTTPAuth{Username: "u", Password: keg.NewSecret(secret)} }, "", ""},
		{"basic without a password", func(h *HTTP) { h.Auth = &HTTPAuth{Username: "u"} }, "", ""},
		{"signing", func(h *HTTP) { h.Signing = &HTTPSigning{Secret: []keg.Secret{signingSecret(32)}} }, "", ""},
		{"tls", func(h *HTTP) { h.TLS = &TLS{ServerName: "x"} }, "", ""},

		{"no address", func(h *HTTP) { h.Address = "" }, "address", "is required"},
		{"no scheme", func(h *HTTP) { h.Address = "audit.internal/events" }, "address", "must begin with http:// or https://"},
		{"host and port alone", func(h *HTTP) { h.Address = "audit.internal:80" }, "address", "must begin with http:// or https://"},
		{"another scheme", func(h *HTTP) { h.Address = "ftp://audit.internal" }, "address", "must begin with http:// or https://"},
		{"a local file", func(h *HTTP) { h.Address = "file:///etc/passwd" }, "address", "must begin with http:// or https://"},
		{"no host", func(h *HTTP) { h.Address = "https:///events" }, "address", "has no host"},
		{"opaque", func(h *HTTP) { h.Address = "https:events" }, "address", "has no host"},
		{"no URL", func(h *HTTP) { h.Address = "https://" + secret + "%zz" }, "address", "is no URL"},
		{"a line end", func(h *HTTP) { h.Address = "https://a/\r\nX: " + secret }, "address", "is no URL"},
		{"port 0", func(h *HTTP) { h.Address = "https://a:0" }, "address", "between 1 and 65535"},
		{"port 65536", func(h *HTTP) { h.Address = "https://a:65536" }, "address", "between 1 and 65535"},
		{"credentials", func(h *HTTP) { h.Address = "https://u:" + secret + "@a/" }, "address", "use auth"},
		{"a fragment", func(h *HTTP) { h.Address = "https://a/#" + secret }, "address", "fragment"},
		{"GET", func(h *HTTP) { h.Method = "GET" }, "method", "must be POST, PUT or PATCH"},
		{"an unknown method", func(h *HTTP) { h.Method = "POST /x HTTP/1.1\r\n" }, "method", "must be POST, PUT or PATCH"},
		{"empty auth", func(h *HTTP) { h.Auth = &HTTPAuth{} }, "auth", "must have bearer"},
		{"two kinds of auth", func(h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret(secret), Username: "u"} }, "auth", "not both"},
		{"a password alone", func(h *HTTP) { h.Auth = &HTTPAuth{Password: keg.NewSecret(secret)} }, "auth.username", "is required beside password"},
		{"a colon in the user name", func(h *HTTP) { h.Auth = &HTTPAuth{Username: "a:b"} }, "auth.username", "colon"},
		{"a bearer of two lines", func(h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret(secret + "\nX: y")} }, "auth.bearer", "one line"},
		{"a bearer with a line end", func(h *HTTP) { h.Auth = &HTTPAuth{Bearer: keg.NewSecret(secret + "\n")} }, "auth.bearer", "one line"},
		{"no signing secret", func(h *HTTP) { h.Signing = &HTTPSigning{} }, "signing.secret", "is required"},
		{"a wrong signing secret", func(h *HTTP) { h.Signing = &HTTPSigning{Secret: []keg.Secret{keg.NewSecret(secret)}} }, "signing.secret", "whsec_"},
		{"tls on http", func(h *HTTP) { h.Address, h.TLS = "http://a/", &TLS{} }, "tls", "needs an https address"},
		{"half a client certificate", func(h *HTTP) { h.TLS = &TLS{Cert: "x.pem"} }, "tls.key", "is required beside cert"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := good()
			tt.change(h)
			err := h.Validate()
			got := fieldProblems(t, err)
			if tt.path == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[tt.path], tt.problem) {
				t.Errorf("%v, want %s: %s", err, tt.path, tt.problem)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v shows the secret", err)
			}
		})
	}
}

func TestHTTPValidateReportsEverythingAtOnce(t *testing.T) {
	h := &HTTP{Method: "GET", Auth: &HTTPAuth{}, Signing: &HTTPSigning{}, TLS: &TLS{Cert: "x"}}
	got := fieldProblems(t, h.Validate())
	for _, path := range []string{"address", "method", "auth", "signing.secret", "tls.key"} {
		if got[path] == "" {
			t.Errorf("%s is not reported: %v", path, got)
		}
	}
}

func TestHTTPLabelHoldsNoSecret(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"https://audit.internal/events", "https://audit.internal/events"},
		{"HTTPS://Audit.Internal:8443/Events", "https://audit.internal:8443/Events"},
		{"https://a/x?token=s3cret", "https://a/x"},
		{"https://u:s3cret@a/x#s3cret", "https://a/x"},
		{"https://a/with%2Fslash", "https://a/with%2Fslash"},
		{"https://a/" + "\x01", "http:"},
		{"", "http:"},
	} {
		if got := (&HTTP{Address: tt.address}).Label(); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.address, got, tt.want)
		}
	}
}

func TestFixedHeaders(t *testing.T) {
	const secret = "hunter2hunter2"
	plain := &HTTP{}
	bearer := &HTTP{Auth: &HTTPAuth{Bearer: keg.NewSecret("t")}}
	signing := &HTTP{Signing: &HTTPSigning{}}
	for _, tt := range []struct {
		name     string
		header   string
		value    string
		settings *HTTP
		problem  string // "": accepted
	}{
		{"any", "X-Tenant", "blue", plain, ""},
		{"in any case", "x-tenant", "blue", plain, ""},
		{"empty", "X-Tenant", "", plain, ""},
		{"with a tab and beyond ASCII", "X-Tenant", "a\tü", plain, ""},
		{"authorization of another kind", "Authorization", "Token x", plain, ""},
		{"a content type", "Content-Type", "text/plain", plain, ""},
		{"webhook headers of one's own", "Webhook-Id", "1", plain, ""},
		{"two lines", "X-Tenant", secret + "\r\nX-Admin: 1", plain, "one line"},
		{"a line feed", "X-Tenant", secret + "\n", plain, "one line"},
		{"NUL", "X-Tenant", secret + "\x00", plain, "one line"},
		{"a name with a line end", "X-Tenant\r\nX-Admin", "1", plain, "no header's name"},
		{"a name with a blank", "X Tenant", "1", plain, "no header's name"},
		{"a name with a colon", "X:Tenant", "1", plain, "no header's name"},
		{"no name", "", "1", plain, "no header's name"},
		{"framing", "Content-Length", "0", plain, "belongs to the connection"},
		{"chunking", "transfer-encoding", "chunked", plain, "belongs to the connection"},
		{"hop by hop", "CONNECTION", "close", plain, "belongs to the connection"},
		{"upgrade", "Upgrade", "h2c", plain, "belongs to the connection"},
		{"te", "TE", "trailers", plain, "belongs to the connection"},
		{"host", "host", "other", plain, "the address's host"},
		{"authorization beside auth", "authorization", secret, bearer, "contradicts auth"},
		{"webhook headers beside signing", "webhook-signature", secret, signing, "written by signing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fixedHeaders(map[string]keg.Secret{tt.header: keg.NewSecret(tt.value)}, tt.settings)
			if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Fatalf("%v, want %q", err, tt.problem)
			}
			if err == nil {
				return
			}
			if len(fieldProblems(t, err)) != 1 {
				t.Errorf("%v is not one problem", err)
			}
			if strings.Contains(err.Error(), secret) || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("%q shows the value or breaks a line", err)
			}
		})
	}
}

func TestOneHeaderInTwoCasesIsRefused(t *testing.T) {
	_, err := fixedHeaders(map[string]keg.Secret{"x-a": keg.NewSecret("1"), "X-A": keg.NewSecret("2")}, &HTTP{})
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("%v, want a word of the second", err)
	}
}
