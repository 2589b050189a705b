package webhooks

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/kong/keg"
)

// The bounds of what a stranger may send to be looked at.
const (
	maxHeader     = 4 << 10 // bytes of a header that is read
	maxSignatures = 16      // in one request
	maxTimestamp  = 12      // digits
)

var (
	errWrong      = errors.New("the signature is not that of this request with any of the secrets")
	errTimestamp  = errors.New("the timestamp is no number of seconds")
	errSignatures = fmt.Errorf("there are more than %d signatures", maxSignatures)
)

// only returns the one value of a header, whose name is in lower case. A second
// one would leave open which is meant.
func only(h keg.Headers, name string) (string, error) {
	values := h[name]
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", fmt.Errorf("the header %s is missing", name)
	case len(values) > 1:
		return "", fmt.Errorf("the header %s was sent more than once", name)
	case len(values[0]) > maxHeader:
		return "", fmt.Errorf("the header %s is longer than %d bytes", name, maxHeader)
	}
	return values[0], nil
}

// fresh reports whether a timestamp is near enough to now. It is made of
// digits, so that it can be no other text that was signed.
func (v *Verifier) fresh(at string) error {
	if len(at) > maxTimestamp {
		return errTimestamp
	}
	for i := range len(at) {
		if at[i] < '0' || at[i] > '9' {
			return errTimestamp
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return errTimestamp
	}
	away := v.now().Sub(time.Unix(seconds, 0))
	switch {
	case away > v.tolerance:
		return fmt.Errorf("the timestamp is older than %v", v.tolerance)
	case away < -v.tolerance:
		return fmt.Errorf("the timestamp is more than %v ahead of the clock", v.tolerance)
	}
	return nil
}

// The encodings of a signature.
func fromHex(text string) ([]byte, bool) {
	b, err := hex.DecodeString(text)
	return b, err == nil && len(b) > 0
}

func fromBase64(text string) ([]byte, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	return b, err == nil && len(b) > 0
}

func unreadable(header string) error {
	return fmt.Errorf("the header %s has no signature that can be read", header)
}
