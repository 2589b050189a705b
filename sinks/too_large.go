package sinks

import "github.com/kong/keg"

// tooLarge marks err as the refusal of an event that is larger than its
// destination takes, which is final. Limit is in bytes, 0 where nobody told it.
// The text stays err's.
func tooLarge(err error, limit int) error {
	return keg.Permanent(&tooLargeError{err, &keg.TooLargeError{What: "event", Limit: int64(limit), Unit: "bytes"}})
}

type tooLargeError struct {
	err   error
	limit *keg.TooLargeError
}

func (e *tooLargeError) Error() string   { return e.err.Error() }
func (e *tooLargeError) Unwrap() []error { return []error{e.err, e.limit} }
