package plugins_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/plugins"
)

// secretive is what the names of secrets end in.
var secretive = regexp.MustCompile(`(secret|password|token)s?$`)

// Every secret of every plugin may be in one of Kong's vaults, and what is named
// like one is of the type that hides it.
func TestEverySecretMayBeInAVault(t *testing.T) {
	secret := reflect.TypeFor[keg.Secret]()
	found := 0
	var look func(path string, typ reflect.Type)
	look = func(path string, typ reflect.Type) {
		for i := range typ.NumField() {
			field := typ.Field(i)
			tag, ok := field.Tag.Lookup("kong")
			if !ok && !field.Anonymous {
				continue
			}
			flags := strings.Split(tag, ",")
			at := path + "." + flags[0]
			of := field.Type
			for of.Kind() == reflect.Slice || of.Kind() == reflect.Map || of.Kind() == reflect.Pointer {
				of = of.Elem()
			}
			switch {
			case of == secret:
				found++
				if !slices.Contains(flags, "referenceable") {
					t.Errorf("%s is a secret that cannot be in a vault", at)
				}
			case of.Kind() == reflect.String && secretive.MatchString(flags[0]):
				t.Errorf("%s is of type %s, which does not hide it", at, field.Type)
			case of.Kind() == reflect.Struct:
				look(at, of)
			}
		}
	}
	for _, p := range plugins.All(plugins.Options{}) {
		look(p.Name, reflect.TypeOf(p.Config()).Elem())
	}
	if found < 2 {
		t.Errorf("%d secrets were found", found)
	}
}
