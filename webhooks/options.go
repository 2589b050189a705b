package webhooks

import (
	"errors"
	"time"
)

// problems takes the secrets into v, and reports what is wrong with any option.
func (o Options) problems(v *Verifier) error {
	errs := []error{o.secrets(v), o.HMAC.problems(o.Scheme)}
	timed := o.Scheme != GitHub && (o.Scheme != HMAC || o.HMAC.TimestampHeader != "")
	switch {
	case o.Tolerance < 0:
		errs = append(errs, wrong("tolerance", "must be longer than 0"))
	case o.Tolerance > 0 && !timed && o.Scheme == HMAC:
		errs = append(errs, wrong("tolerance", "needs timestamp_header: without it nothing says how old a request is"))
	case o.Tolerance > 0 && !timed:
		errs = append(errs, wrong("tolerance", "has no use with %s, which signs no timestamp", o.Scheme))
	case o.Tolerance > maxTolerance:
		errs = append(errs, wrong("tolerance", "must be at most %v", maxTolerance))
	}
	return errors.Join(errs...)
}

const (
	maxTolerance = 24 * time.Hour
	maxSecrets   = 8
	maxSecret    = 4096 // bytes
)

func (o Options) secrets(v *Verifier) error {
	if len(o.Secrets) == 0 {
		return wrong("secrets", "needs at least one secret")
	}
	if len(o.Secrets) > maxSecrets {
		return wrong("secrets", "has %d secrets, at most %d are allowed", len(o.Secrets), maxSecrets)
	}
	var errs []error
	for i, secret := range o.Secrets {
		text := secret.Reveal()
		switch {
		case text == "": // anybody could sign with it
			errs = append(errs, wrong("secrets", "secret %d is empty", i+1))
		case len(text) > maxSecret:
			errs = append(errs, wrong("secrets", "secret %d is longer than %d bytes", i+1, maxSecret))
		case o.Scheme == Standard:
			if problem := v.standardSecret(text); problem != "" {
				errs = append(errs, wrong("secrets", "secret %d %s", i+1, problem))
			}
		default:
			v.secrets = append(v.secrets, []byte(text))
		}
	}
	return errors.Join(errs...)
}
