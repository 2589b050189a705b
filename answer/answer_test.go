package answer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
)

var (
	orders = &keg.Destination{Type: "kafka", Name: "kafka://kafka:9092/orders"}
	audit  = &keg.Destination{Type: "http", Name: "https://audit.internal/events",
		Headers: map[string]keg.Secret{"authorization": keg.NewSecret("s3cret")}}
)

func delivery(route string, to *keg.Destination, err error) keg.Delivery {
	return keg.Delivery{Route: route, Destination: to, Attempts: 3, Took: time.Second, Err: err}
}

func failed(deliveries ...keg.Delivery) keg.Receipt {
	var errs []error
	for _, d := range deliveries {
		errs = append(errs, d.Err)
	}
	return keg.Receipt{ID: "7", Routes: []string{"a", "b"}, Ack: keg.AckDelivered, Deliveries: deliveries, Err: errors.Join(errs...)}
}

func TestStatusOfOneEvent(t *testing.T) {
	refused := keg.Permanent(errors.New("410 Gone"))
	late := fmt.Errorf("no answer: %w", context.DeadlineExceeded)
	busy := &keg.BusyError{Problem: "the breaker is open", After: 3 * time.Second}
	tests := map[string]struct {
		receipt keg.Receipt
		want    int
	}{
		"every destination has it":                   {keg.Receipt{Routes: []string{"a"}, Ack: keg.AckDelivered}, 200},
		"it is stored":                               {keg.Receipt{Routes: []string{"a"}, Ack: keg.AckStored}, 202},
		"it is on its way without a promise":         {keg.Receipt{Routes: []string{"a"}, Ack: keg.AckNone}, 202},
		"no route takes it":                          {keg.Receipt{Ack: keg.AckDelivered}, 202},
		"no route, but where the unmatched go":       {keg.Receipt{Ack: keg.AckDelivered, Deliveries: []keg.Delivery{delivery("", orders, nil)}}, 200},
		"a dead letter is safe where the hub says":   {keg.Receipt{Routes: []string{"a"}, Ack: keg.AckDelivered, Deliveries: []keg.Delivery{{Err: refused, DeadLettered: true}}}, 200},
		"no route takes it and the table rejects":    {keg.Receipt{Err: &keg.UnroutedError{}}, 422},
		"not a legal event":                          {keg.Receipt{Err: &keg.InvalidError{Attribute: "id", Problem: "is wrong"}}, 400},
		"too large":                                  {keg.Receipt{Err: &keg.TooLargeError{What: "event", Limit: 1, Unit: "bytes"}}, 413},
		"unreadable":                                 {keg.Receipt{Err: &keg.UnsupportedError{Problem: "avro"}}, 415},
		"too much in flight":                         {keg.Receipt{Err: busy}, 503},
		"wrapped errors keep their meaning":          {keg.Receipt{Err: fmt.Errorf("hub: %w", busy)}, 503},
		"refused for good":                           {failed(delivery("a", orders, refused)), 502},
		"attempts spent":                             {failed(delivery("a", orders, errors.New("connection refused"))), 502},
		"time ran out":                               {failed(delivery("a", orders, late)), 504},
		"time ran out for one, one has it":           {failed(delivery("a", orders, late), delivery("b", audit, nil)), 504},
		"time ran out for one, one refused for good": {failed(delivery("a", orders, late), delivery("b", audit, refused)), 502},
		"time ran out for one, one spent":            {failed(delivery("a", orders, late), delivery("b", audit, errors.New("x"))), 502},
		"refused for good, also for being late":      {failed(delivery("a", orders, keg.Permanent(late))), 502},
		"too large for a destination is no 413":      {failed(delivery("a", orders, keg.Permanent(&keg.TooLargeError{What: "event"}))), 502},
		"a destination is gone":                      {failed(delivery("a", orders, keg.Gone(errors.New("410 Gone")))), 502},
		"a destination was not reached":              {failed(delivery("a", orders, keg.Unreachable(errors.New("refused")))), 502},
		"a destination was not reached in time":      {failed(delivery("a", orders, keg.Unreachable(late))), 504},
		"known to be away":                           {failed(delivery("a", orders, busy)), 503},
		"known to be away, and another late":         {failed(delivery("a", orders, busy), delivery("b", audit, late)), 504},
		"known to be away, and another refused":      {failed(delivery("a", orders, busy), delivery("b", audit, refused)), 502},
		"a destination's illegal topic is no 400":    {failed(delivery("a", orders, keg.Permanent(&keg.InvalidError{Attribute: "topic"}))), 502},
		"a failure in a dead letter does not count":  {failed(keg.Delivery{Err: refused, DeadLettered: true}, delivery("b", audit, late)), 504},
		"refused for good, and in a dead letter":     {failed(keg.Delivery{Err: refused, DeadLettered: true}), 502},
		"late before any delivery":                   {keg.Receipt{Err: fmt.Errorf("waiting: %w", context.DeadlineExceeded)}, 504},
		"cut short":                                  {keg.Receipt{Err: context.Canceled}, 503},
		"unknown":                                    {keg.Receipt{Err: errors.New("password=hunter2")}, 500},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Of(keg.Receipts{test.receipt}, false)
			if got.Status != test.want {
				t.Errorf("status %d, want %d: %s", got.Status, test.want, got.Body)
			}
			mediaType := "application/json"
			if test.want >= 400 {
				mediaType = "application/problem+json"
			}
			if got.Headers.Get("Content-Type") != mediaType {
				t.Errorf("content type %q", got.Headers.Get("Content-Type"))
			}
			if (got.Headers.Get("Retry-After") != "") != (test.want == 503) {
				t.Errorf("status %d with Retry-After %q", got.Status, got.Headers.Get("Retry-After"))
			}
			if !json.Valid(got.Body) || strings.Contains(string(got.Body), "hunter2") || strings.Contains(string(got.Body), "s3cret") {
				t.Errorf("body %s", got.Body)
			}
		})
	}
}

// same fails the test unless an answer's body is want, read as JSON.
func same(t *testing.T, want string, got Answer) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got.Body, &b); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestBodies(t *testing.T) {
	same(t, `{"id":"7","routes":["a","b \"c\""]}`, Of(keg.Receipts{{ID: "7", Routes: []string{"a", `b "c"`}, Ack: keg.AckDelivered}}, false))
	same(t, `{"id":"7","routes":[]}`, Of(keg.Receipts{{ID: "7"}}, false))
	same(t, `{"type":"about:blank","title":"Bad Request","status":400,"id":"7","detail":"\"id\" is wrong; \"type\" is empty"}`,
		Of(keg.Receipts{{ID: "7", Err: errors.Join(
			&keg.InvalidError{Attribute: "id", Problem: "is wrong"}, fmt.Errorf("secret: %w", &keg.InvalidError{Attribute: "type", Problem: "is empty"}), errors.New("hidden"))}}, false))
	same(t, `{"type":"about:blank","title":"Bad Gateway","status":502,"id":"7","detail":"not every destination took the event","deliveries":[
		{"route":"a","destination":"kafka://kafka:9092/orders","attempts":3,"error":"message too large"},
		{"route":"b","destination":"https://audit.internal/events","attempts":3,"error":"400  Bad  Request"}]}`,
		Of(keg.Receipts{failed(delivery("a", orders, keg.Permanent(errors.New("message too large"))),
			delivery("c", orders, nil), delivery("b", audit, errors.New("400 \nBad\x00 Request")))}, false))
	same(t, `{"type":"about:blank","title":"Bad Gateway","status":502,"id":"7","detail":"not every destination took the event","deliveries":[
		{"route":"a","destination":"kafka://kafka:9092/orders","attempts":3,"error":"the event is too large"}]}`,
		Of(keg.Receipts{failed(delivery("a", orders, keg.Permanent(&keg.TooLargeError{What: "event"})))}, false))
	same(t, `{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"KEG failed on this event; its log says why"}`,
		Problem(errors.New("password=hunter2")))
	same(t, `{"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"use POST"}`, Status(http.StatusMethodNotAllowed, "use POST"))
}

func TestARequestThatIsNotVerifiedIsChallenged(t *testing.T) {
	got := Problem(&keg.UnverifiedError{Scheme: "github", Problem: "the header x-hub-signature-256 is missing"})
	if got.Status != 401 || got.Headers.Get("WWW-Authenticate") == "" || got.Headers.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", got.Status, got.Headers)
	}
	same(t, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"the request is not verified (github): the header x-hub-signature-256 is missing"}`, got)
}

func TestRetryAfterIsInWholeSecondsAndNeverZero(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", 1001 * time.Millisecond: "2", time.Minute: "60", -time.Hour: "1"} {
		if got := Problem(&keg.BusyError{After: after}).Headers.Get("Retry-After"); got != want {
			t.Errorf("%v: %s, want %s", after, got, want)
		}
	}
	longest := Of(keg.Receipts{failed(delivery("a", orders, &keg.BusyError{After: time.Second}), delivery("b", audit, &keg.BusyError{After: time.Minute}))}, false)
	if got := longest.Headers.Get("Retry-After"); got != "60" {
		t.Errorf("the longest wait of two destinations: %s", got)
	}
}

func TestWhatADestinationSaidIsCut(t *testing.T) {
	a := Of(keg.Receipts{failed(delivery("a", orders, errors.New(strings.Repeat("ä", 1<<20))))}, false)
	if len(a.Body) > 2*maxDetail {
		t.Errorf("body of %d bytes", len(a.Body))
	}
}

func TestADeliveryToNowhereIsAnswered(t *testing.T) {
	if got := Of(keg.Receipts{failed(delivery("a", nil, errors.New("x")))}, false); got.Status != 502 {
		t.Errorf("status %d", got.Status)
	}
}

func TestReceiptsThatWentMissingAreNoYes(t *testing.T) {
	for _, receipts := range []keg.Receipts{nil, {}, {{ID: "a"}, {ID: "b"}}} {
		if got := Of(receipts, false); got.Status != 500 {
			t.Errorf("%d receipts for one event: status %d", len(receipts), got.Status)
		}
	}
}

func BenchmarkOfOneEvent(b *testing.B) {
	receipts := keg.Receipts{{ID: "01a20a16-67c0-7cd3-a1d6-33da8be66d79", Routes: []string{"order-events-to-processing", "all-to-audit"}, Ack: keg.AckDelivered}}
	b.ReportAllocs()
	for b.Loop() {
		if Of(receipts, false).Status != 200 {
			b.Fatal("not 200")
		}
	}
}

func TestLevel(t *testing.T) {
	for status, want := range map[int]slog.Level{
		207: slog.LevelWarn, 400: slog.LevelWarn, 422: slog.LevelWarn, 503: slog.LevelWarn,
		500: slog.LevelError, 502: slog.LevelError, 504: slog.LevelError,
	} {
		if got := (Answer{Status: status}).Level(); got != want {
			t.Errorf("%d is told as %v, want %v", status, got, want)
		}
	}
}
