package declarative

import (
	"strings"

	"github.com/google/uuid"
)

// Workspace is the id of the default workspace of a Kong without a database;
// it is the same everywhere.
const Workspace = "0dc6f45b-8f8d-40d2-a504-473544ee190b"

// entities is the namespace that Kong's declarative loader derives its ids from.
var entities = uuid.MustParse("fd02801f-0957-4a15-a55a-c8d9606f30b5")

// entityID is the id that Kong gives an entity of a kind ("services") known by
// key, so that the same file has the same ids on every node.
func entityID(kind, key string) string {
	namespace := uuid.NewSHA1(entities, []byte(kind))
	return uuid.NewSHA1(namespace, []byte(key)).String()
}

// pluginID is the id of a plugin entity, known by its name and what it is
// applied to. The * stands for every workspace.
func pluginID(name, route, service, consumer string) string {
	return entityID("plugins", strings.Join([]string{"plugins", "*", name, route, service, consumer}, ":"))
}

// cacheKey is Kong's key of a plugin entity, which its config carries as __key__.
func cacheKey(name, route, service, consumer string) string {
	return strings.Join([]string{"plugins", name, route, service, consumer, "", Workspace}, ":")
}
