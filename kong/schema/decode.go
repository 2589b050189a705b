package schema

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode reads a config, as Kong sends it, into a pointer to a struct. Fields
// first get the defaults of their tags. A null leaves a field as it is; an
// empty table, which Lua cannot tell from an empty list, is either; keys that
// the struct does not have are Kong's own and passed over. The error names
// every field that is wrong, and no value: it may be a secret.
func Decode(config []byte, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("a config is read into a pointer to a struct, not %T", into)
	}
	if err := setDefaults(v.Elem()); err != nil {
		return err
	}
	if len(bytes.TrimSpace(config)) == 0 {
		return nil
	}
	if !json.Valid(config) {
		return errors.New("is no JSON document")
	}
	return decode(config, v.Elem(), "")
}

// problem is an error of the field at a path below config.
func problem(path, what string) error {
	if path == "" {
		path = "config"
	}
	return fmt.Errorf("%s %s", path, what)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// decode reads valid JSON into v.
func decode(text json.RawMessage, v reflect.Value, path string) error {
	text = bytes.TrimSpace(text)
	if string(text) == "null" {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		if v.Type().Elem().Kind() == reflect.Struct && isUnset(text) {
			return nil
		}
		fresh := reflect.New(v.Type().Elem())
		if err := setDefaults(fresh.Elem()); err != nil {
			return err
		}
		if err := decode(text, fresh.Elem(), path); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	}
	if v.Type() == rawJSON {
		v.SetBytes(slices.Clone(text))
		return nil
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		s, ok := asString(text)
		if !ok {
			return problem(path, "must be a string")
		}
		if err := u.UnmarshalText([]byte(s)); err != nil {
			return problem(path, err.Error())
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return decodeRecord(text, v, path)
	case reflect.Slice:
		return decodeList(text, v, path)
	case reflect.Map:
		return decodeMap(text, v, path)
	}
	return decodeScalar(text, v, path)
}

func decodeScalar(text json.RawMessage, v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.Bool:
		if s := string(text); s != "true" && s != "false" {
			return problem(path, "must be true or false")
		}
		v.SetBool(text[0] == 't')
	case reflect.String:
		s, ok := asString(text)
		if !ok {
			return problem(path, "must be a string")
		}
		v.SetString(s)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, ok := asWhole(text)
		if !ok || v.OverflowInt(n) {
			return problem(path, fmt.Sprintf("must be a whole number of at most %d bits", v.Type().Bits()))
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return problem(path, "must be a number")
		}
		v.SetFloat(n)
	default:
		return problem(path, fmt.Sprintf("is of Go's type %s, which no config has", v.Type()))
	}
	return nil
}

func decodeRecord(text json.RawMessage, v reflect.Value, path string) error {
	var object map[string]json.RawMessage
	if !isEmptyList(text) && json.Unmarshal(text, &object) != nil {
		return problem(path, "must be an object")
	}
	var errs []error
	for _, m := range membersOf(v.Type()) {
		if value, ok := object[m.name]; ok {
			errs = append(errs, decodeMember(m, value, v.FieldByIndex(m.index), join(path, m.name)))
		}
	}
	return errors.Join(errs...)
}

func decodeList(text json.RawMessage, v reflect.Value, path string) error {
	var list []json.RawMessage
	if !isEmptyObject(text) && json.Unmarshal(text, &list) != nil {
		return problem(path, "must be a list")
	}
	var errs []error
	fresh := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, element := range list {
		errs = append(errs, decodeFresh(element, fresh.Index(i), fmt.Sprintf("%s[%d]", path, i+1)))
	}
	v.Set(fresh)
	return errors.Join(errs...)
}

func decodeMap(text json.RawMessage, v reflect.Value, path string) error {
	var object map[string]json.RawMessage
	if !isEmptyList(text) && json.Unmarshal(text, &object) != nil {
		return problem(path, "must be an object")
	}
	var errs []error
	fresh := reflect.MakeMapWithSize(v.Type(), len(object))
	for key, element := range object {
		value := reflect.New(v.Type().Elem()).Elem()
		errs = append(errs, decodeFresh(element, value, join(path, key)))
		fresh.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), value)
	}
	v.Set(fresh)
	return errors.Join(errs...)
}

// decodeFresh decodes into an element that has no defaults yet.
func decodeFresh(text json.RawMessage, v reflect.Value, path string) error {
	if err := setDefaults(v); err != nil {
		return err
	}
	return decode(text, v, path)
}

// isUnset reports whether a record holds nothing: Kong fills in records that
// nobody has set.
func isUnset(text json.RawMessage) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return isEmptyList(text)
	}
	for _, value := range object {
		if string(value) != "null" {
			return false
		}
	}
	return true
}

func isEmptyObject(text []byte) bool { return isEmpty(text, "{", "}") }

func isEmptyList(text []byte) bool { return isEmpty(text, "[", "]") }

func isEmpty(text []byte, open, end string) bool {
	s := strings.TrimSpace(string(text[:min(len(text), 64)]))
	return strings.HasPrefix(s, open) && strings.TrimSpace(s[1:]) == end
}

func asString(text json.RawMessage) (string, bool) {
	var s string
	return s, len(text) > 0 && text[0] == '"' && json.Unmarshal(text, &s) == nil
}

// asWhole reads an integer in any spelling: Lua writes 1e+15 for a large one,
// and 3.0 is as good as 3.
func asWhole(text json.RawMessage) (int64, bool) {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
