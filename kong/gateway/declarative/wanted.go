package declarative

import (
	"bytes"
	"encoding/json"
)

// wanted is a value that a rule names. Null is one, too: a field that must be
// equal to it is one that nobody may set.
type wanted struct {
	named bool
	value any
}

// UnmarshalJSON reads any value.
func (w *wanted) UnmarshalJSON(text []byte) error {
	w.named = true
	return json.Unmarshal(text, &w.value)
}

// MarshalJSON writes the value; null where the rule names none.
func (w wanted) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	err := json.NewEncoder(&text).Encode(w.value)
	return bytes.TrimSpace(text.Bytes()), err
}

// is reports whether the rule names this value.
func (w wanted) is(value any) bool { return w.named && w.value == value }

// isNot reports whether the rule names another one.
func (w wanted) isNot(value any) bool { return w.named && w.value != value }

// nullProblem is what an unset field breaks, and whether it breaks anything.
func (f *Field) nullProblem() string {
	switch {
	case f.Ne.is(nil):
		return f.worded("value must not be null")
	case f.Eq.isNot(nil):
		return "value must be " + text(f.Eq.value)
	case f.mandatory():
		return requiredMissing
	}
	return ""
}

// worded is the schema's own text for a broken rule, where it has one.
func (f *Field) worded(problem string) string {
	if problem != "" && f.Err != "" {
		return f.Err
	}
	return problem
}
