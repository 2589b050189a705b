// Package schema makes Kong config schemas from Go types, and reads configs
// into them.
//
// A plugin's config is a struct. Each field that Kong shall know has a tag
// `kong:"name"` and a sentence in `doc`; the Go type gives Kong's type:
//
//	bool                     boolean
//	string, TextUnmarshaler  string
//	int, int32, int64        integer
//	float64                  number
//	[]T                      array (set, with the flag)
//	map[string]T             map
//	struct, *struct          record (a pointer is nil where nothing in it is set)
//	*T                       T, nil where it is not set
//	json.RawMessage          json, with the schema of [JSONSchemer]
//
// Flags follow the name, after commas: required, referenceable (the value may
// be a reference to one of Kong's vaults, which Kong resolves), encrypted,
// uuid, regex, set; and unlisted, for a key that Kong adds to configs by itself,
// such as __plugin_id, and that is no part of the schema. Further tags hold one rule each: default, one_of ("a,b"),
// between ("1,10"), gt, match (a Lua pattern), starts_with, len_min, len_max.
// On a list or a map, all rules but default, required, len_min and len_max
// are those of its elements or values.
//
// The tag refused is for a field that a plugin knows and cannot honour: a value
// is answered with its text ("is not ours: use …"), by Kong's Admin API and by [Decode]. Unset, or
// empty where it is a list or a map, it is nothing; a boolean may have its default.
//
// Fields that depend on each other are tied together by the methods of
// [EntityChecker], in the config and in every record of it.
//
// Kong takes a record for required unless it is told otherwise, and fills in one
// that nobody has set, with the defaults of its fields; what is required in it is
// then missing (kong/db/schema/entity.lua, make_records_required). So a record
// that may be left out is a pointer: it is told of as not required, stays unset,
// and has no defaults.
//
// The package knows Kong's rules for schemas and nothing of what a config
// means: a config has been checked by Kong when it comes, and a plugin checks
// what a schema cannot say.
package schema
