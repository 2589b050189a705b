package clients

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// AddressProblem says why text is no host:port of a broker, or "".
func AddressProblem(text string) string {
	host, port, err := net.SplitHostPort(text)
	switch n, _ := strconv.Atoi(port); {
	case err != nil, host == "", strings.ContainsAny(host, "/@ \t\r\n\x00"):
		return fmt.Sprintf("must be host:port, such as kafka:9092, and %q is not", text)
	case n < 1 || n > 65535:
		return fmt.Sprintf("has the port %q, and a port is a number from 1 to 65535", port)
	}
	return ""
}

// MaxKafkaName is Kafka's own limit: a topic's name is part of a file's name.
const MaxKafkaName = 249

// IsKafkaName reports whether a broker takes every character of text in the
// name of a topic. It is what keeps "/", CR, LF and the rest out of topics that
// events name.
func IsKafkaName(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return text != ""
}

// ErrKafkaName: text is not [IsKafkaName].
var ErrKafkaName = errors.New("has a character that no topic's name may have; a-z, A-Z, 0-9, dot, underscore and hyphen are legal")

// CheckKafkaTopic judges a topic's name as a whole.
func CheckKafkaTopic(name string) error {
	switch {
	case name == "":
		return errors.New("is required")
	case name == ".", name == "..":
		return errors.New(`must not be "." or ".."`)
	case len(name) > MaxKafkaName:
		return fmt.Errorf("is longer than %d characters", MaxKafkaName)
	case !IsKafkaName(name):
		return ErrKafkaName
	}
	return nil
}
