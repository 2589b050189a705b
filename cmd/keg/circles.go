package main

import (
	"errors"
	"log/slog"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sources"
)

// circles looks for sources that read what a route writes: an event that takes
// such a route comes back with the same attributes, and takes it again.
type circles struct {
	sources []keg.SourceConfig
	log     *slog.Logger
}

// check refuses a table that leads in a circle, and warns of one that may, as the
// events decide. What it cannot see, such as a way over another system, the
// hub's count of hops ends.
func (c circles) check(t *router.Table) error {
	var errs []error
	look := func(route string, d *keg.Destination) {
		for _, s := range c.sources {
			loop := sources.LoopProblem(s, d)
			switch {
			case loop == nil:
			case loop.Certain:
				errs = append(errs, loop)
			default:
				c.log.Warn("a route may lead in a circle", "route", route, "problem", loop.Error())
			}
		}
	}
	for _, r := range t.Routes() {
		if !r.Enabled {
			continue
		}
		for _, d := range r.Destinations {
			look(r.Name, d)
		}
		if r.DeadLetter != nil {
			look(r.Name, r.DeadLetter)
		}
	}
	for _, d := range t.Unmatched().Destinations {
		look("", d)
	}
	return errors.Join(errs...)
}
