package declarative

import (
	"slices"
	"strconv"
)

// Infer turns the texts of a form into what an entity's fields want, as Kong does:
// numbers, booleans, lists of one, and null for an empty text. What does not fit
// stays a text, for the check to refuse. before is the entity as it is, or nil.
func (l *Loader) Infer(k *Kind, values map[string]any, before *Entity) map[string]any {
	out := k.schema.infer(values).(map[string]any)
	for _, link := range k.Links {
		if out[link.Field] == "" {
			out[link.Field] = nil
		}
	}
	plugin := name(values["name"])
	if plugin == "" && before != nil {
		plugin = before.Name
	}
	if schema := l.Schemas[plugin]; k == plugins && schema != nil && out["config"] != nil {
		out["config"] = schema.Config.infer(out["config"])
	}
	return out
}

func (f *Field) infer(value any) any {
	text, isText := value.(string)
	if isText && text == "" {
		return nil
	}
	switch f.Type {
	case "number", "integer":
		if n, err := strconv.ParseFloat(text, 64); isText && err == nil {
			return n
		}
	case "boolean":
		if isText && (text == "true" || text == "false") {
			return text == "true"
		}
	case "array", "set":
		items, ok := value.([]any)
		if !ok {
			items = []any{value}
		}
		items = slices.Clone(items)
		for i, item := range items {
			items[i] = f.Elements.infer(item)
		}
		return items
	case "map", "record":
		record, ok := value.(map[string]any)
		if !ok {
			return value
		}
		out := make(map[string]any, len(record))
		for key, item := range record {
			switch member := f.member(key); {
			case f.Type == "map":
				out[key] = f.Values.infer(item)
			case member != nil:
				out[key] = member.infer(item)
			default:
				out[key] = item
			}
		}
		return out
	}
	return value
}
