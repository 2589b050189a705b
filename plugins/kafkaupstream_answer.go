package plugins

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
)

// sent is the answer to a request whose record is where the config promises.
var sent = []byte(`{"message":"message sent"}`)

// answer is what a client hears, in the words of Kong Enterprise's plugin.
func (u *kafkaUpstreamInstance) answer(err error) answer.Answer {
	headers := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if err == nil {
		return answer.Answer{Status: http.StatusOK, Headers: headers, Body: sent}
	}
	status, told := http.StatusInternalServerError, false
	var cause string
	invalid, isInvalid := errors.AsType[*keg.InvalidError](err)
	tooLarge, isTooLarge := errors.AsType[*keg.TooLargeError](err)
	busy, isBusy := errors.AsType[*keg.BusyError](err)
	failed, isFailed := errors.AsType[*failedError](err)
	switch {
	case isFailed:
		status, cause = http.StatusBadGateway, "could not send message to topic"
		if u.config.ErrorHandling.ReturnMessage {
			cause += ": " + failed.Error()
		}
	case isInvalid:
		status, cause, told = http.StatusBadRequest, invalid.Error(), true
	case isTooLarge:
		status, cause, told = http.StatusRequestEntityTooLarge, tooLarge.Error(), true
	case isBusy:
		status, cause, told = http.StatusServiceUnavailable, busy.Error(), true
		headers.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(busy.After.Seconds())))))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		status, cause = http.StatusBadGateway, "could not send message to topic"
	}
	message := http.StatusText(status)
	if told {
		message, cause = cause, ""
	}
	body := append([]byte(`{"message":`), quoted(message)...)
	if cause != "" {
		body = append(append(body, `,"error":`...), quoted(cause)...)
	}
	return answer.Answer{Status: status, Headers: headers, Body: append(body, '}')}
}

// maxCause bounds what a broker's words may add to an answer.
const maxCause = 1000

func quoted(text string) []byte {
	if len(text) > maxCause {
		text = text[:maxCause] + "…"
	}
	b, _ := jsontext.AppendQuote(nil, text) // what is not UTF-8 is replaced
	return b
}
