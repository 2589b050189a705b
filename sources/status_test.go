package sources

import (
	"errors"
	"testing"
	"time"

	"github.com/kong/keg/test/logtest"
)

func TestASourcesStatusIsThatOfItsTrouble(t *testing.T) {
	var log logtest.Log
	k := &kafka{trouble: complaint{log: log.Logger()}}
	if s := k.Status(); !s.Up {
		t.Errorf("%+v", s)
	}
	began := time.Now()
	k.trouble.tell("it cannot read", errors.New("connection refused"))
	if s := k.Status(); s.Up || s.Error != "connection refused" || s.Since.Before(began) {
		t.Errorf("%+v", s)
	}
	k.trouble.over("it reads again")
	if s := k.Status(); !s.Up || s.Error != "" || !s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
}
