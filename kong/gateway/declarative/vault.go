package declarative

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// reference is Kong's vault reference: {vault://VAULT/RESOURCE[/KEY]}.
var reference = regexp.MustCompile(`^\{vault://([^/{}?]+)/([^/{}?]+)(?:/([^/{}?]+))?\}$`)

func isReference(value any) bool {
	s, ok := value.(string)
	return ok && strings.HasPrefix(s, "{vault://") && reference.MatchString(s)
}

// Resolve replaces the references in a config by what they name, as Kong does
// before a plugin sees it. Only the env vault is here. What cannot be resolved
// becomes an empty text, as in Kong, and is reported by its reference.
func (f *Field) Resolve(value any, lookup func(string) (string, bool), unresolved func(reference string, err error)) any {
	if f.Referenceable && isReference(value) {
		found, err := lookUpReference(value.(string), lookup)
		if err != nil {
			unresolved(value.(string), err)
		}
		return found
	}
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			switch {
			case f.Type == "map":
				out[key] = f.Values.Resolve(item, lookup, unresolved)
			case f.member(key) != nil:
				out[key] = f.member(key).Resolve(item, lookup, unresolved)
			default:
				out[key] = item
			}
		}
		return out
	case []any:
		if f.Elements == nil {
			return value
		}
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = f.Elements.Resolve(item, lookup, unresolved)
		}
		return out
	}
	return value
}

func lookUpReference(text string, lookup func(string) (string, bool)) (string, error) {
	part := reference.FindStringSubmatch(text)
	vault, resource, key := part[1], part[2], part[3]
	if vault != "env" {
		return "", fmt.Errorf("the stand-in has no vault %q, only env", vault)
	}
	name := strings.ToUpper(strings.ReplaceAll(resource, "-", "_"))
	value, ok := lookup(name)
	if !ok {
		return "", fmt.Errorf("the environment variable %s is not set", name)
	}
	if key == "" {
		return value, nil
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(value), &members); err != nil {
		return "", fmt.Errorf("the environment variable %s is no JSON object", name)
	}
	member, ok := members[key].(string)
	if !ok {
		return "", fmt.Errorf("the environment variable %s has no text %q", name, key)
	}
	return member, nil
}
