package sinks

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/kong/keg"
)

// HTTP are the settings of a destination that takes events as HTTP requests.
type HTTP struct {
	Address      string       `keg:"address,required" doc:"The URL that events are sent to, http or https."`
	Method       string       `keg:"method" default:"POST" enum:"POST,PUT,PATCH" doc:"The request's method."`
	Auth         *HTTPAuth    `keg:"auth" doc:"The credentials of the Authorization header."`
	Signing      *HTTPSigning `keg:"signing" doc:"Signs every request as Standard Webhooks says."`
	TLS          *TLS         `keg:"tls" doc:"How an https connection is secured, where the system's certificates do not do."`
	AllowPrivate bool         `keg:"allow_private" default:"true" doc:"Whether the address may be on a private network. The metadata addresses of clouds are never connected to."`
}

// HTTPAuth is a bearer token, or a user name and a password.
type HTTPAuth struct {
	Bearer   keg.Secret `keg:"bearer" doc:"The token of Authorization: Bearer."`
	Username string     `keg:"username" doc:"The user name of Authorization: Basic."`
	Password keg.Secret `keg:"password" doc:"The password of Authorization: Basic."`
}

func httpKind() kind {
	return kind{
		DestinationType: keg.DestinationType{
			Name:    "http",
			Doc:     "An HTTP endpoint; it has taken an event when it answers with a status of 200 to 299.",
			New:     func() keg.Settings { return new(HTTP) },
			Format:  keg.FormatBinary,
			Formats: []keg.Format{keg.FormatBinary, keg.FormatStructured, keg.FormatRaw},
		},
		open: openHTTP,
	}
}

// Label is the address without user, query and fragment: tokens live there.
func (h *HTTP) Label() string {
	u, err := url.Parse(h.Address)
	if err != nil || u.Host == "" {
		return "http:"
	}
	return (&url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: u.Path, RawPath: u.RawPath}).String()
}

// Acknowledges is true: a status is an answer.
func (h *HTTP) Acknowledges() bool { return true }

// Validate reports every setting that is wrong.
func (h *HTTP) Validate() error {
	var errs []error
	fail := func(path, format string, args ...any) {
		errs = append(errs, &keg.FieldError{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
	u, err := parseHTTPAddress(h.Address)
	if err != nil {
		fail("address", "%v", err)
	}
	switch h.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, "":
	default:
		fail("method", "must be POST, PUT or PATCH")
	}
	if a := h.Auth; a != nil {
		basic := a.Username != "" || !a.Password.IsZero()
		switch {
		case !a.Bearer.IsZero() && basic:
			fail("auth", "must have bearer, or username and password, not both")
		case a.Bearer.IsZero() && !basic:
			fail("auth", "must have bearer, or username and password")
		case basic && a.Username == "":
			fail("auth.username", "is required beside password")
		}
		if strings.Contains(a.Username, ":") {
			fail("auth.username", "must not contain a colon, which ends the user name in Authorization: Basic")
		}
		if !isFieldValue(a.Bearer.Reveal()) {
			fail("auth.bearer", "must be one line without control characters")
		}
	}
	if h.Signing != nil {
		if _, err := h.Signing.keys(); err != nil {
			fail("signing.secret", "%v", err)
		}
	}
	if h.TLS != nil && u != nil && u.Scheme == "http" {
		fail("tls", "needs an https address")
	}
	return errors.Join(append(errs, h.TLS.Problems("tls")...)...)
}

// parseHTTPAddress reads an address. Its error does not repeat it, since a
// secret may be what is wrong with it.
func parseHTTPAddress(address string) (*url.URL, error) {
	if address == "" {
		return nil, errors.New("is required: an http or https URL")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return nil, fmt.Errorf("is no URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("has no host")
	case u.User != nil:
		return nil, errors.New("must not hold credentials, which logs would show: use auth")
	case u.Fragment != "":
		return nil, errors.New("must not have a fragment (#…), which is never sent")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has a port that is not between 1 and 65535")
		}
	}
	return u, nil
}

// authorization is the header's value, or "".
func (a *HTTPAuth) authorization() string {
	switch {
	case a == nil:
		return ""
	case !a.Bearer.IsZero():
		return "Bearer " + a.Bearer.Reveal()
	}
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(a.Username, a.Password.Reveal())
	return r.Header.Get("Authorization")
}
