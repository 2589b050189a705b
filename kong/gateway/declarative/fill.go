package declarative

// fill returns the value with every default in it, as Kong stores it; records that
// are mandatory are filled even where they are absent. The value is not changed.
func (f *Field) fill(value any) any {
	if value == nil && f.Default != nil {
		value = f.Default
	}
	switch f.Type {
	case "record":
		if record, ok := asRecord(value); ok {
			return f.fillRecord(record)
		}
		if value == nil && f.mandatory() {
			return f.fillRecord(nil)
		}
	case "array", "set":
		items, ok := asList(value)
		if !ok {
			return value
		}
		filled := make([]any, 0, len(items))
		for _, item := range items {
			item = f.Elements.fill(item)
			if f.Type == "set" && containsScalar(filled, item) {
				continue
			}
			filled = append(filled, item)
		}
		return filled
	case "map":
		record, ok := asRecord(value)
		if !ok {
			return value
		}
		filled := make(map[string]any, len(record))
		for key, item := range record {
			filled[key] = f.Values.fill(item)
		}
		return filled
	}
	return value
}

// fillRecord fills what is not written. A null that is written stays one.
func (f *Field) fillRecord(record map[string]any) map[string]any {
	filled := make(map[string]any, len(f.Fields))
	for _, member := range f.Fields {
		value, written := record[member.Name]
		if value != nil || !written {
			value = member.fill(value)
		}
		filled[member.Name] = value
	}
	return filled
}

func containsScalar(list []any, value any) bool {
	switch value.(type) {
	case string, float64, bool:
	default:
		return false
	}
	for _, item := range list {
		if item == value {
			return true
		}
	}
	return false
}

// withoutNulls is the value as a plugin sees it: what is not set is not there.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			if item != nil {
				out[key] = withoutNulls(item)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = withoutNulls(item)
		}
		return out
	}
	return value
}
