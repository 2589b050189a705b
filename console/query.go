package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// maxBody bounds the body of a call: as many ids as one may hold.
const maxBody = 1 << 20

// ParseTime reads a moment: RFC 3339, or a duration, so long ago.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		if ago < 0 {
			return time.Time{}, errors.New("must not be negative: 1h is an hour ago")
		}
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90m or 36h")
	}
	return t, nil
}

// ParseReason reads a reason; "" is any.
func ParseReason(text string) (keg.Reason, error) {
	if text == "" || slices.Contains(keg.Reasons(), keg.Reason(text)) {
		return keg.Reason(text), nil
	}
	names := make([]string, 0, 8)
	for _, r := range keg.Reasons() {
		names = append(names, string(r))
	}
	return "", fmt.Errorf("is no reason; there are: %s", strings.Join(names, ", "))
}

// filterText is a filter as it travels, in a query or in JSON.
type filterText struct {
	Route       string `json:"route,omitempty"`
	Destination string `json:"destination,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Since       string `json:"since,omitempty"`
	Until       string `json:"until,omitempty"`
}

func (t filterText) filter() (f outbox.Filter, err error) {
	f.Route, f.Destination = t.Route, t.Destination
	if f.Reason, err = ParseReason(t.Reason); err != nil {
		return f, fmt.Errorf("reason %w", err)
	}
	now := time.Now()
	for _, at := range []struct {
		name, text string
		to         *time.Time
	}{{"since", t.Since, &f.Since}, {"until", t.Until, &f.Until}} {
		if at.text == "" {
			continue
		}
		if *at.to, err = ParseTime(at.text, now); err != nil {
			return f, fmt.Errorf("%s %w", at.name, err)
		}
	}
	return f, nil
}

func textOf(f outbox.Filter) filterText {
	t := filterText{Route: f.Route, Destination: f.Destination, Reason: string(f.Reason)}
	if !f.Since.IsZero() {
		t.Since = f.Since.Format(time.RFC3339Nano)
	}
	if !f.Until.IsZero() {
		t.Until = f.Until.Format(time.RFC3339Nano)
	}
	return t
}

// listQuery is what GET /deadletters asks for.
type listQuery struct {
	filter outbox.Filter
	after  string
	limit  int
	data   bool
}

// defaultPage is how many are listed where nothing is said.
const defaultPage = 100

func parseList(values url.Values) (q listQuery, err error) {
	var text filterText
	q.limit = defaultPage
	for name := range values {
		value := values.Get(name)
		switch name {
		case "route":
			text.Route = value
		case "destination":
			text.Destination = value
		case "reason":
			text.Reason = value
		case "since":
			text.Since = value
		case "until":
			text.Until = value
		case "after":
			q.after = value
		case "limit":
			if q.limit, err = strconv.Atoi(value); err != nil || q.limit < 1 || q.limit > MaxPage {
				return q, fmt.Errorf("limit must be a whole number from 1 to %d", MaxPage)
			}
		case "data":
			if q.data, err = strconv.ParseBool(value); err != nil {
				return q, errors.New("data must be true or false")
			}
		default:
			return q, fmt.Errorf("there is no parameter %q; there are: route, destination, reason, since, until, after, limit, data", name)
		}
	}
	q.filter, err = text.filter()
	return q, err
}

func (q listQuery) values() url.Values {
	values := url.Values{}
	t := textOf(q.filter)
	for name, value := range map[string]string{
		"route": t.Route, "destination": t.Destination, "reason": t.Reason, "since": t.Since, "until": t.Until,
		"after": q.after, "limit": strconv.Itoa(q.limit), "data": strconv.FormatBool(q.data),
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// selectionText is a [Selection] as it travels.
type selectionText struct {
	filterText
	IDs           []string `json:"ids,omitempty"`
	All           bool     `json:"all,omitempty"`
	Limit         int      `json:"limit,omitempty"`
	ThroughRoutes bool     `json:"through_routes,omitempty"`
}

// parseSelection reads the body of a call. What selects nothing must say that it
// means all: a key that was forgotten is not to drop everything.
func parseSelection(w http.ResponseWriter, r *http.Request, throughRoutes bool) (s Selection, err error) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	var text selectionText
	if err := decoder.Decode(&text); err != nil {
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return s, &keg.TooLargeError{What: "body", Limit: tooLarge.Limit, Unit: "bytes"}
		}
		return s, fmt.Errorf("the body is no JSON object of this call's keys: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return s, errors.New("the body is more than one JSON object")
	}
	s = Selection{IDs: text.IDs, Limit: text.Limit, ThroughRoutes: text.ThroughRoutes}
	if s.Filter, err = text.filter(); err != nil {
		return s, err
	}
	filtered := s.Filter != outbox.Filter{}
	switch {
	case len(s.IDs) > MaxIDs:
		return s, &keg.TooLargeError{What: "list of ids", Limit: MaxIDs, Unit: "ids"}
	case len(s.IDs) > 0 && (filtered || text.All || s.Limit != 0):
		return s, errors.New("ids stand alone: give ids, or a filter, or all")
	case len(s.IDs) == 0 && !filtered && !text.All:
		return s, errors.New(`nothing is selected: give ids, a filter (route, destination, reason, since, until), or "all": true`)
	case filtered && text.All:
		return s, errors.New("all stands alone: it means every dead letter, and there is a filter")
	case s.Limit < 0:
		return s, errors.New("limit must not be negative")
	case s.ThroughRoutes && !throughRoutes:
		return s, errors.New("through_routes is for a replay")
	}
	return s, nil
}
