package sinks

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/kong/keg"
)

// fixedHeaders are the headers that every request of a destination carries,
// ready to be put over an event's: those of its headers key, and its
// Authorization. What would break the request, or contradict another setting,
// is told here and never sent.
func fixedHeaders(configured map[string]keg.Secret, settings *HTTP) (http.Header, error) {
	fixed := make(http.Header, len(configured)+1)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		value := configured[name].Reveal()
		canonical := http.CanonicalHeaderKey(name)
		if problem := headerProblem(canonical, value, settings); problem != "" {
			errs = append(errs, &keg.FieldError{Path: fmt.Sprintf("headers.%s", shown(name)), Problem: problem})
			continue
		}
		if _, twice := fixed[canonical]; twice {
			errs = append(errs, &keg.FieldError{Path: "headers." + name, Problem: "is there twice, in different cases"})
		}
		fixed[canonical] = []string{value}
	}
	if authorization := settings.Auth.authorization(); authorization != "" {
		fixed["Authorization"] = []string{authorization}
	}
	return fixed, errors.Join(errs...)
}

// headerProblem says why a header cannot be configured, or "". It does not
// repeat the value.
func headerProblem(canonical, value string, settings *HTTP) string {
	switch {
	case !httpguts.ValidHeaderFieldName(canonical):
		return "is no header's name"
	case !isFieldValue(value):
		return "must be one line without control characters"
	case canonical == "Authorization" && settings.Auth != nil:
		return "contradicts auth: one of the two"
	case strings.HasPrefix(canonical, "Webhook-") && settings.Signing != nil:
		return "is written by signing"
	}
	switch canonical {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Content-Length", "Expect", "Http2-Settings":
		return "belongs to the connection, and is not for a configuration to set"
	case "Host":
		return "is the address's host, and cannot be another"
	}
	return ""
}

// isFieldValue reports whether value is fit for a header: no control character
// but the tab, and no blank at an end, which would not arrive.
func isFieldValue(value string) bool {
	return httpguts.ValidHeaderFieldValue(value) && strings.Trim(value, " \t") == value
}

// shown makes a name fit for an error's path.
func shown(name string) string {
	if httpguts.ValidHeaderFieldName(name) {
		return name
	}
	return fmt.Sprintf("%q", name)
}
