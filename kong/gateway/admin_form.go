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
