package plugins

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/kong/keg/clients"
	"github.com/kong/keg/kong/schema"
)

// EntityChecks tell Kong's Admin API which fields need each other.
func (kafkaAuthentication) EntityChecks() []schema.EntityCheck {
	var checks []schema.EntityCheck
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		checks = append(checks,
			schema.If("mechanism", schema.Is(mechanism), "user", schema.IsSet()),
			schema.If("mechanism", schema.Is(mechanism), "password", schema.IsSet()))
	}
	return append(checks,
		schema.If("strategy", schema.Is("sasl"), "mechanism", schema.IsSet()),
		schema.If("mechanism", schema.Is("OAUTHBEARER"), "oauthbearer", schema.IsSet()))
}

// EntityChecks tell Kong's Admin API which fields need each other.
func (kafkaSecurity) EntityChecks() []schema.EntityCheck {
	return []schema.EntityCheck{
		schema.MutuallyRequired("certificate", "key"),
		schema.If("certificate", schema.IsSet(), "ssl", schema.Equals(true)),
		schema.If("ca", schema.IsSet(), "ssl", schema.Equals(true)),
	}
}

// problems are what the schema cannot say, each of one line that begins with the
// field's path. The config has been filled.
func (c *kafkaConfig) problems() error {
	var errs []error
	fail := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("config.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if len(c.BootstrapServers) == 0 {
		fail("bootstrap_servers", "needs at least one broker: {host: kafka, port: 9092}")
	}
	for i, s := range c.BootstrapServers {
		if problem := clients.AddressProblem(s.address()); problem != "" {
			fail(fmt.Sprintf("bootstrap_servers[%d]", i+1), "%s", problem)
		}
	}
	if err := clients.CheckKafkaTopic(c.Topic); err != nil {
		fail("topic", "%v", err)
	}
	a := c.Authentication
	switch {
	case a.Strategy == "":
	case a.Mechanism == "":
		fail("authentication.mechanism", "is required beside strategy: sasl")
	case a.Mechanism == "OAUTHBEARER":
		o := a.OAuthBearer
		if u, err := url.Parse(o.TokenURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			fail("authentication.oauthbearer.token_endpoint_url", "must be an http or https URL without a user in it")
		}
		if o.ClientID == "" || o.ClientSecret.IsZero() {
			fail("authentication.oauthbearer", "needs client_id and client_secret")
		}
	case a.User == "" || a.Password.IsZero():
		fail("authentication", "needs user and password for %s", a.Mechanism)
	}
	s := c.Security
	if (s.Certificate == "") != s.Key.IsZero() {
		fail("security", "has only one of certificate and key, which belong together")
	}
	if !s.SSL && (s.Certificate != "" || s.CA != "") {
		fail("security.ssl", "must be true where there are certificates")
	}
	return errors.Join(errs...)
}
