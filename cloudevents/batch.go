package cloudevents

import (
	"github.com/kong/keg"
)

// fromJSONBatch reads the JSON batch format. Broken JSON anywhere is the end of
// the whole, since nobody can tell where the next event would begin; an entry
// that is JSON and no event fails alone.
func fromJSONBatch(b []byte, maxBatch int) ([]Entry, error) {
	s := startScan(b)
	defer s.finish()
	switch token, err := s.ReadToken(); {
	case err != nil:
		return nil, broken(err, len(b))
	case token.Kind() != '[':
		return nil, &keg.InvalidError{Problem: "the batch is no JSON array"}
	}
	var entries []Entry
	for s.PeekKind() != ']' {
		value, err := s.ReadValue()
		if err != nil {
			return nil, broken(err, len(b))
		}
		if len(entries) == maxBatch {
			return nil, &keg.TooLargeError{What: "batch", Limit: int64(maxBatch), Unit: "events"}
		}
		entries = append(entries, entryOf(value))
	}
	if _, err := s.ReadToken(); err != nil {
		return nil, broken(err, len(b))
	}
	return entries, s.end()
}

func entryOf(value []byte) Entry {
	e, err := decodeJSON(value)
	if err != nil {
		return Entry{ID: idOf(value), Err: err}
	}
	return Entry{Event: e, ID: e.ID}
}

// idOf finds the id of a broken entry, for the answer to name it by.
func idOf(value []byte) string {
	if value[0] != '{' {
		return ""
	}
	s := startScan(value)
	defer s.finish()
	var id string
	_ = s.members(func(name, value []byte) error {
		if string(name) == "id" && value[0] == '"' {
			id = string(unquoteJSON(value))
		}
		return nil
	})
	return id
}
