package keg_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kong/keg"
)

func TestASecretIsReadFromTextAndNeverWritten(t *testing.T) {
	var settings struct{ Password keg.Secret }
	if err := json.Unmarshal([]byte(`{"Password":"hunter2"}`), &settings); err != nil {
		t.Fatal(err)
	}
	if got := settings.Password.Reveal(); got != "hunter2" {
		t.Errorf("read %q", got)
	}
	written, err := json.Marshal(settings)
	if err != nil || string(written) != `{"Password":"***"}` {
		t.Errorf("wrote %s, %v", written, err)
	}
	shown := fmt.Sprintf("%v %+v %#v %q %x", settings, settings, settings, settings, settings)
	if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74657232") {
		t.Errorf("printed the secret: %s", shown)
	}
}
