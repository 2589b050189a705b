package answer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/kong/keg"
)

// ofBatch answers for a batch: an array of entries where any event is safe, a
// problem with the entries in it where all were refused alike.
func ofBatch(receipts keg.Receipts) Answer {
	body := make([]byte, 0, 2+96*len(receipts))
	body = append(body, '[')
	agreed, safe := 0, 0
	var retryAfter time.Duration
	for i := range receipts {
		if i > 0 {
			body = append(body, ',')
		}
		var code int
		if r := &receipts[i]; r.Err == nil {
			safe++
			code = status(r)
			body = appendSafe(body, code, r)
		} else {
			v := judge(r)
			code = v.status
			retryAfter = max(retryAfter, v.retryAfter)
			body = appendRefused(body, r.ID, v)
		}
		switch {
		case i == 0:
			agreed = code
		case agreed != code:
			agreed = http.StatusMultiStatus
		}
	}
	body = append(body, ']')
	switch {
	case len(receipts) == 0:
		agreed = http.StatusAccepted
	case safe == 0 && agreed != http.StatusMultiStatus:
		p := newProblem("", verdict{
			status: agreed, retryAfter: retryAfter,
			detail: fmt.Sprintf("none of the batch's %d events was taken; events says why, in order", len(receipts)),
		})
		p.Events = body
		return p.answer()
	}
	return Answer{Status: agreed, Headers: jsonHeaders, Body: append(body, '\n')}
}

func appendSafe(b []byte, code int, r *keg.Receipt) []byte {
	b = append(b, `{"status":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, ',')
	b = appendTaken(b, r)
	return append(b, '}')
}

// refused is an event of a batch that is not safe.
type refused struct {
	Status     int       `json:"status"`
	ID         string    `json:"id,omitempty"`
	Error      string    `json:"error"`
	Deliveries []failure `json:"deliveries,omitempty"`
}

func appendRefused(b []byte, id string, v verdict) []byte {
	entry, err := json.Marshal(refused{
		Status: v.status, ID: printable(id, maxDetail), Error: printable(v.detail, maxDetail), Deliveries: v.deliveries,
	})
	if err != nil { // strings and numbers only: it cannot be
		entry = []byte(`{"status":` + strconv.Itoa(v.status) + `}`)
	}
	return append(b, entry...)
}
