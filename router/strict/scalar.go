package strict

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kong/keg"
)

// scalar fills a field of one value. Numbers, booleans and durations may also
// come as text from a variable or a file.
func (d *Decoder) scalar(v reflect.Value, f *field, p *Place) {
	switch {
	case f.typ == secretType:
		if text, ok := d.text(p, true); ok {
			v.Set(reflect.ValueOf(keg.NewSecret(text.Value)))
		}
	case f.typ == durationType:
		d.duration(v, f, p)
	case f.typ.Kind() == reflect.String:
		if text, ok := d.Text(p); ok && d.listed(text, f, p) {
			v.SetString(text.Value)
		}
	case f.typ.Kind() == reflect.Bool:
		if text, ok := d.literal(p, boolTag, "must be true or false"); ok {
			switch text.Value {
			case "true", "false":
				v.SetBool(text.Value == "true")
			default:
				d.Fail(p, "must be true or false, not %s", text)
			}
		}
	case f.typ.Kind() == reflect.Int, f.typ.Kind() == reflect.Int64:
		d.integer(v, f, p)
	case f.typ.Kind() == reflect.Float64:
		if text, ok := d.literal(p, numTag, "must be a number"); ok {
			n, good := Number(text.Value)
			if !good || math.IsInf(n, 0) {
				d.Fail(p, "must be a plain decimal number, not %s", text)
			} else if d.bounded(f, p, f.low.IsValid() && n < f.low.Float(), f.high.IsValid() && n > f.high.Float()) {
				v.SetFloat(n)
			}
		}
	default:
		panic("strict: a field of type " + f.typ.String() + " is not supported")
	}
}

func (d *Decoder) listed(text Text, f *field, p *Place) bool {
	if f.enum == nil || slices.Contains(f.enum, text.Value) {
		return true
	}
	d.Fail(p, "must be one of %s, not %s%s", strings.Join(f.enum, ", "), text, text.DidYouMean(f.enum))
	return false
}

func (d *Decoder) duration(v reflect.Value, f *field, p *Place) {
	text, ok := d.literal(p, strTag, `must be a duration with its unit, such as "10s"`)
	if !ok {
		return
	}
	n, err := time.ParseDuration(text.Value)
	if err != nil {
		d.Fail(p, `must be a duration with its unit, such as "10s" or "1h30m", not %s`, text)
		return
	}
	if n < 0 {
		d.Fail(p, "must not be negative")
		return
	}
	if d.bounded(f, p, f.low.IsValid() && int64(n) < f.low.Int(), f.high.IsValid() && int64(n) > f.high.Int()) {
		v.SetInt(int64(n))
	}
}

func (d *Decoder) integer(v reflect.Value, f *field, p *Place) {
	text, ok := d.literal(p, intTag, "must be a whole number")
	if !ok {
		return
	}
	n, good := whole(text.Value)
	if !good {
		d.Fail(p, "must be a whole number in plain decimal digits, not %s", text)
		return
	}
	if d.bounded(f, p, f.low.IsValid() && n < f.low.Int(), f.high.IsValid() && n > f.high.Int()) {
		v.SetInt(n)
	}
}

func (d *Decoder) bounded(f *field, p *Place, low, high bool) bool {
	switch {
	case low:
		d.Fail(p, "must be at least %s", f.min)
	case high:
		d.Fail(p, "must be at most %s", f.max)
	}
	return !low && !high
}

// decimal is JSON's grammar of a number (RFC 8259, section 6). YAML's others,
// octal, hexadecimal, underscores and infinity, surprise more than they help.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// Number reads a number as JSON writes one. One that no float64 holds comes
// back as an infinity.
func Number(text string) (float64, bool) {
	if len(text) > 1024 || !decimal.MatchString(text) {
		return 0, false
	}
	n, _ := strconv.ParseFloat(text, 64)
	return n, true
}

// whole reads an integer, also as Lua writes it: 3.0, 1e+15.
func whole(text string) (int64, bool) {
	if !decimal.MatchString(text) {
		return 0, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	n, _ := strconv.ParseFloat(text, 64)
	if n != math.Trunc(n) || math.Abs(n) >= 1<<63 {
		return 0, false
	}
	return int64(n), true
}
