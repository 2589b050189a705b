package answer

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/kong/keg"
)

var errWrongCount = errors.New("answer: one event needs one receipt")

// A verdict is what a refusal comes to: a status, what may be said of it, and
// which destinations it was about.
type verdict struct {
	status     int
	detail     string
	retryAfter time.Duration
	deliveries []failure
}

// judge finds the verdict on an event that is not safe. Where destinations
// failed, they decide, those whose event is in a dead letter only where there
// is no other; the receipt's own error does otherwise.
func judge(r *keg.Receipt) verdict {
	var failed, dead []*keg.Delivery
	for i := range r.Deliveries {
		switch d := &r.Deliveries[i]; {
		case d.Err == nil:
		case d.DeadLettered:
			dead = append(dead, d)
		default:
			failed = append(failed, d)
		}
	}
	if len(failed) == 0 {
		failed = dead
	}
	if len(failed) == 0 {
		return judgeError(r.Err)
	}
	v := judgeDeliveries(failed)
	for _, d := range failed {
		v.deliveries = append(v.deliveries, describe(d))
	}
	return v
}

// judgeDeliveries puts one status on all deliveries that failed. Busy and late
// may pass by themselves, so they are said only where nothing worse happened.
func judgeDeliveries(failed []*keg.Delivery) verdict {
	busy, late := 0, 0
	var after time.Duration
	for _, d := range failed {
		var b *keg.BusyError
		switch {
		case errors.As(d.Err, &b):
			busy++
			after = max(after, b.After)
		case isLate(d.Err) && !keg.IsPermanent(d.Err):
			late++
		}
	}
	switch len(failed) {
	case busy:
		return verdict{status: http.StatusServiceUnavailable, retryAfter: after, detail: "a destination is known to be away; nothing was sent to it"}
	case busy + late:
		return verdict{status: http.StatusGatewayTimeout, detail: "not every destination answered in time; those that are named may have the event nevertheless"}
	}
	return verdict{status: http.StatusBadGateway, detail: "not every destination took the event"}
}

func isLate(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// judgeError finds the verdict on an error that no destination has part in.
func judgeError(err error) verdict {
	var (
		invalid     *keg.InvalidError
		tooLarge    *keg.TooLargeError
		unsupported *keg.UnsupportedError
		unrouted    *keg.UnroutedError
		schema      *keg.SchemaError
		loop        *keg.LoopError
		unverified  *keg.UnverifiedError
		busy        *keg.BusyError
	)
	switch {
	case errors.As(err, &busy):
		return verdict{status: http.StatusServiceUnavailable, detail: busy.Error(), retryAfter: busy.After}
	case errors.As(err, &tooLarge):
		return verdict{status: http.StatusRequestEntityTooLarge, detail: tooLarge.Error()}
	case errors.As(err, &unsupported):
		return verdict{status: http.StatusUnsupportedMediaType, detail: unsupported.Error()}
	case errors.As(err, &invalid):
		return verdict{status: http.StatusBadRequest, detail: problems(err)}
	case errors.As(err, &unrouted):
		return verdict{status: http.StatusUnprocessableEntity, detail: unrouted.Error()}
	case errors.As(err, &schema):
		return verdict{status: http.StatusUnprocessableEntity, detail: schema.Error()}
	case errors.As(err, &unverified):
		return verdict{status: http.StatusUnauthorized, detail: unverified.Error()}
	case errors.As(err, &loop):
		return verdict{status: http.StatusLoopDetected, detail: loop.Error()}
	case isLate(err):
		return verdict{status: http.StatusGatewayTimeout, detail: "it was not done in time; the event may have been delivered nevertheless"}
	case errors.Is(err, context.Canceled):
		return verdict{status: http.StatusServiceUnavailable, detail: "the request was cut short; the event may have been delivered nevertheless"}
	}
	return verdict{status: http.StatusInternalServerError, detail: "KEG failed on this event; its log says why"}
}

// problems joins the texts of all InvalidErrors in err, and of nothing else.
func problems(err error) string {
	var texts []string
	for _, err := range keg.Problems(err) {
		if invalid, ok := errors.AsType[*keg.InvalidError](err); ok {
			texts = append(texts, invalid.Error())
		}
	}
	return strings.Join(texts, "; ")
}
