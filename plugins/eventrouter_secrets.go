package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// secretName is what ${NAME} can name.
var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// tableOf compiles the routes of a config, in which ${NAME} finds its secrets
// first; nil where it has none.
func tableOf(routes json.RawMessage, secrets map[string]keg.Secret, o router.Options) (*router.Table, error) {
	o.Secrets = secrets
	if o.Secrets == nil { // not nil, so that an error names them
		o.Secrets = map[string]keg.Secret{}
	}
	return ownRoutes(routes, o)
}

// secretProblems reports secrets that no ${NAME} finds, and those that are none.
func secretProblems(secrets map[string]keg.Secret) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if !secretName.MatchString(name) {
			errs = append(errs, fmt.Errorf("config.secrets: the name %q cannot stand in ${NAME}: it may have only letters, digits and _", name))
		} else if problem := unresolvedSecret(secrets[name]); problem != "" {
			errs = append(errs, fmt.Errorf("config.secrets.%s %s", name, problem))
		}
	}
	return errors.Join(errs...)
}
