// Package kong holds what a Kong is configured with to run this gateway: the
// files that a source tree has in this folder, so that a program that runs from
// elsewhere has them too. The packages below it know Kong, and nothing of events.
package kong

import _ "embed"

// Config is kong.yml: the declarative configuration of a first look.
//
//go:embed kong.yml
var Config []byte

// Routes is routes.yaml: the route table of a first look.
//
//go:embed routes.yaml
var Routes []byte

// Conf is kong.conf: what a real Kong is told.
//
//go:embed kong.conf
var Conf []byte
