package keg

import (
	"fmt"
	"log/slog"
)

// Secret is a string that must not be seen. However it is printed, logged or
// marshalled it shows as "***"; only [Secret.Reveal] tells it. Two secrets are
// equal (==) when their strings are.
type Secret struct{ value string }

// NewSecret hides value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the string itself, for the wire and nothing else.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether the secret is empty, which is to say not set.
func (s Secret) IsZero() bool { return s.value == "" }

// Format prints the mask for every verb and flag, %#v and %x among them.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String returns the mask, or "" for an empty secret.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return "***"
}

// LogValue is the mask, for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is the mask, for encoding/json and every other text encoding.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText hides text, so that a secret can be read by every text
// encoding.
func (s *Secret) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}
