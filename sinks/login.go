package sinks

import "github.com/kong/keg/clients"

// How a connection is secured and logged in to is the same for what sends and
// what reads, and stands in package clients.
type (
	TLS  = clients.TLS
	SASL = clients.SASL

	credentials = clients.Credentials
)
