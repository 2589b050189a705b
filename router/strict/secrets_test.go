package strict

import (
	"slices"
	"testing"

	"github.com/kong/keg"
)

// A signing secret is one, or several while receivers change from one to the
// next.
func TestSecretsMayBeSplit(t *testing.T) {
	want := []keg.Secret{keg.NewSecret("a"), keg.NewSecret("b")}
	for _, text := range []string{"{secrets: 'a, b'}", "{secrets: [a, b]}"} {
		place, err := Read("x", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Secrets []keg.Secret `keg:"secrets,split"`
		}
		d := NewDecoder("x", Options{})
		d.Struct([]any{&got}, place)
		if err := d.Err(); err != nil || !slices.Equal(got.Secrets, want) {
			t.Errorf("%s: %d secrets, %v", text, len(got.Secrets), err)
		}
	}
}
