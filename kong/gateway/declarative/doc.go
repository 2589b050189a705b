// Package declarative reads a kong.yml as Kong Gateway 3.9 reads it: the
// entities that the stand-in supports, checked by Kong schemas, with Kong's
// error texts, Kong's defaults and the ids that Kong's declarative loader
// makes. It also makes changes of single entities of a configuration, as Kong's
// Admin API has them. It is pure: it opens no file and no socket, and knows nothing
// of how requests are matched or plugins are run.
//
// Values are what Lua would hold: string, float64, bool, []any,
// map[string]any, and nil for null.
package declarative
