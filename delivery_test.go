package keg_test

import (
	"io"
	"testing"

	"github.com/kong/keg"
)

func TestReceiptsTellWhichEventsAreStillTheSenders(t *testing.T) {
	refused := keg.Receipt{ID: "2", Err: io.EOF}
	for name, test := range map[string]struct {
		receipts keg.Receipts
		count    int
		first    string
	}{
		"none came":                      {nil, 0, ""},
		"all are safe":                   {keg.Receipts{{ID: "1"}, {ID: "3"}}, 0, ""},
		"one is not":                     {keg.Receipts{{ID: "1"}, refused}, 1, "2"},
		"the first of several, by order": {keg.Receipts{{ID: "1"}, refused, {ID: "3", Err: io.ErrShortWrite}}, 2, "2"},
	} {
		count, first := test.receipts.Refused()
		id := ""
		if first != nil {
			id = first.ID
		}
		if count != test.count || id != test.first {
			t.Errorf("%s: %d, %q", name, count, id)
		}
	}
}
