package declarative

import "fmt"

// The errors of single entities, each as Kong words it.

// Refused is a schema violation of one field.
func Refused(field, text string) *Error {
	if field == "@entity" {
		return schemaViolation(map[string]any{field: []any{text}})
	}
	return schemaViolation(map[string]any{field: text})
}

// InvalidSize is a page size that is none.
func InvalidSize(text string) *Error {
	return &Error{Code: codeSize, Name: "invalid size", Message: text}
}

// InvalidOffset is an offset that no page has told of.
func InvalidOffset(offset string) *Error {
	return &Error{Code: codeOffset, Name: "invalid offset", Message: fmt.Sprintf("'%s' is not a valid offset: bad base64 encoding", text(offset))}
}

// InvalidTags is a filter by tags that mixes "and" and "or", or has none.
func InvalidTags() *Error {
	const problem = "invalid filter syntax"
	return &Error{Code: codeOptions, Name: "invalid options", Message: "invalid option (tags: " + problem + ")", Options: map[string]any{"tags": problem}}
}

// Unsupported is a change of a kind that the stand-in does not have.
func Unsupported(kind string) *Error {
	return &Error{Code: codeUnsupported, Name: "operation unsupported", Message: fmt.Sprintf("'%s' entities are %s", kind, unsupportedText)}
}

func readOnly(verb string, k *Kind, byID bool) *Error {
	by := ""
	if !byID {
		by = fmt.Sprintf(" by '%s'", k.Handle)
	}
	return &Error{
		Code: codeUnsupported, Name: "operation unsupported",
		Message: fmt.Sprintf("cannot %s '%s' entities%s when not using a database", verb, k.Name, by),
	}
}

func primaryKeyViolation(id string) *Error {
	key := map[string]any{"id": id}
	return &Error{Code: codePrimaryKey, Name: "primary key violation", Fields: key, Message: fmt.Sprintf("primary key violation on key '%s'", pretty(key))}
}

func uniqueViolation(key map[string]any) *Error {
	return &Error{Code: codeUnique, Name: "unique constraint violation", Fields: key, Message: fmt.Sprintf("UNIQUE violation detected on '%s'", pretty(key))}
}

func danglingLink(link Link, key map[string]any) *Error {
	return &Error{
		Code: codeForeignKey, Name: "foreign key violation", Fields: map[string]any{link.Field: key},
		Message: fmt.Sprintf("the foreign key '%s' does not reference an existing '%s' entity.", pretty(key), link.To),
	}
}

func restricted(parent, child *Kind) *Error {
	return &Error{
		Code: codeForeignKey, Name: "foreign key violation", Fields: map[string]any{"@referenced_by": child.Name},
		Message: fmt.Sprintf("an existing '%s' entity references this '%s' entity", child.Name, parent.Name),
	}
}

func unresolvedLinks(fields map[string]any) *Error {
	message := violations("foreign key unresolved", "foreign keys unresolved", fields)
	return &Error{Code: codeUnresolved, Name: "foreign keys unresolved", Fields: fields, Message: message}
}

func notFound(k *Kind, key string) *Error {
	fields, how := map[string]any{"id": key}, "with primary key "
	if !isID(key) {
		fields, how = map[string]any{k.Handle: key}, "with "
	}
	return &Error{Code: codeNotFound, Name: "not found", Fields: fields, Message: fmt.Sprintf("could not find the entity %s'%s'", how, pretty(fields))}
}

func invalidHandle(k *Kind, problem string) *Error {
	return &Error{Code: codeHandle, Name: "invalid unique " + k.Handle, Message: problem}
}
