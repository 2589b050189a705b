package gateway

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxFormFields is how many fields of a form Kong reads.
const maxFormFields = 100

var (
	errFormFields = errors.New("it has more than 100 fields, and Kong reads no more; send JSON")
	errFormField  = errors.New("a field's name is written as a.b, a[] or a[1]")
)

// formValues makes a record of a form: a.b=1 is a record within it, and what
// stands there more than once, or as a[] or a[1], is a list.
func formValues(form url.Values) (map[string]any, error) {
	if len(form) > maxFormFields {
		return nil, errFormFields
	}
	root := map[string]any{}
	numbered := map[string]map[int]string{} // the items of lists, by the list's name
	for _, name := range slices.Sorted(maps.Keys(form)) {
		path, last := "", name
		if i := strings.LastIndex(name, "."); i == 0 {
			return nil, errFormField
		} else if i > 0 {
			path, last = name[:i], name[i+1:]
		}
		record, err := within(root, path)
		if err != nil {
			return nil, err
		}
		field, place, isList, err := listField(last)
		if err != nil {
			return nil, err
		}
		items, values := numbered[path+"."+field], form[name]
		switch {
		case record[field] != nil && (place == 0 || items == nil):
			return nil, errFormField
		case place > 0:
			if items == nil {
				items = map[int]string{}
				numbered[path+"."+field] = items
			}
			items[place] = values[0]
			record[field] = inOrder(items)
		case isList || len(values) > 1:
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = v
			}
			record[field] = list
		default:
			record[field] = values[0]
		}
	}
	return root, nil
}

// within returns the record at a path such as a.b, which it makes where there is
// none.
func within(record map[string]any, path string) (map[string]any, error) {
	if path == "" {
		return record, nil
	}
	for step := range strings.SplitSeq(path, ".") {
		inner, ok := record[step].(map[string]any)
		if record[step] != nil && !ok || step == "" {
			return nil, errFormField
		}
		if inner == nil {
			inner = map[string]any{}
			record[step] = inner
		}
		record = inner
	}
	return record, nil
}

// listField takes a name such as hosts[] or hosts[2] apart; place is 0 where none
// is written.
func listField(name string) (field string, place int, isList bool, err error) {
	field, index, isList := strings.Cut(name, "[")
	if !isList {
		return name, 0, false, nil
	}
	index, closed := strings.CutSuffix(index, "]")
	if index != "" {
		place, err = strconv.Atoi(index)
	}
	if err != nil || !closed || field == "" || place < 0 || index != "" && place == 0 {
		return "", 0, false, errFormField
	}
	return field, place, true, nil
}

func inOrder(items map[int]string) []any {
	var list []any
	for _, place := range slices.Sorted(maps.Keys(items)) {
		list = append(list, items[place])
	}
	return list
}

// multipartForm returns the fields and files of a multipart form.
func multipartForm(body []byte, boundary string) (url.Values, error) {
	form := url.Values{}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		if form.Add(part.FormName(), string(text)); len(form) > maxFormFields {
			return nil, errFormFields
		}
	}
}
