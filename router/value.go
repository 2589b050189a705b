package router

import (
	"encoding/json"
	"math"
	"math/big"
	"time"

	"github.com/kong/keg/router/strict"
)

// kind is what a value is. Attributes and headers are loose: text that also
// counts as the number or boolean that it spells.
type kind uint8

const (
	loose kind = iota
	instant
	text
	numeric
	boolean
	null
	object
)

// value is one thing that a subject shows.
type value struct {
	kind kind
	yes  bool
	text string // of loose, text, and numeric: as written
	time time.Time
}

func jsonValue(v any) value {
	switch v := v.(type) {
	case string:
		return value{kind: text, text: v}
	case json.Number:
		return value{kind: numeric, text: string(v)}
	case bool:
		return value{kind: boolean, yes: v}
	case nil:
		return value{kind: null}
	}
	return value{kind: object}
}

// string returns the text that text operators work on.
func (v *value) string() (string, bool) {
	switch v.kind {
	case loose, text:
		return v.text, true
	case instant:
		return canonical(v.time), true
	}
	return "", false
}

// number is a decimal number, kept as written too, because a float64 cannot
// tell all integers apart.
type number struct {
	float float64
	text  string
}

func parseNumber(text string) (number, bool) {
	float, ok := strict.Number(text)
	return number{float, text}, ok
}

func (v *value) number() (number, bool) {
	if v.kind != loose && v.kind != numeric {
		return number{}, false
	}
	// Most text is no number, and that is seen by its first byte.
	if len(v.text) == 0 || v.text[0] != '-' && (v.text[0] < '0' || v.text[0] > '9') {
		return number{}, false
	}
	return parseNumber(v.text)
}

// Beyond exact, two integers can share a float64; and what is compared digit
// by digit is bounded.
const (
	exact     = 1 << 53
	maxDigits = 400
)

// compare is negative, zero or positive as n is less than, equal to or more
// than other.
func (n number) compare(other number) int {
	switch {
	case n.float < other.float:
		return -1
	case n.float > other.float:
		return 1
	case math.Abs(n.float) < exact || math.IsInf(n.float, 0) || n.text == other.text:
		return 0
	case len(n.text) > maxDigits || len(other.text) > maxDigits:
		return 0
	}
	a, okA := new(big.Rat).SetString(n.text)
	b, okB := new(big.Rat).SetString(other.text)
	if !okA || !okB {
		return 0
	}
	return a.Cmp(b)
}
