package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// setDefaults gives every field of a struct the default of its tag, those of
// records in it too. Other values it leaves alone.
func setDefaults(v reflect.Value) error {
	if v.Kind() != reflect.Struct {
		return nil
	}
	var errs []error
	for _, m := range membersOf(v.Type()) {
		field := v.FieldByIndex(m.index)
		if _, ok := m.field.Tag.Lookup("default"); !ok {
			errs = append(errs, setDefaults(field))
			continue
		}
		b := builder{}
		f := b.typed(m.field.Type, m.name)
		b.defaultOf(f, m, m.name)
		text, err := json.Marshal(f.Default)
		if err == nil {
			err = decode(text, field, m.name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the default of %s: %w", m.name, err))
		}
	}
	return errors.Join(errs...)
}
