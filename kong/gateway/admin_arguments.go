package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/kong/keg/kong/gateway/declarative"
)

// maxAdminBody bounds what is sent to the Admin API, and is Kong's own bound.
const maxAdminBody = 10 << 20

// arguments are what a request says of an entity.
type arguments struct {
	values map[string]any
	form   bool // all values are texts, or lists of texts
}

// record is an entity as it was written; before is what it is now, nil where it
// is new. Texts of forms become what the fields want.
func (a *arguments) record(l *declarative.Loader, k *declarative.Kind, before *declarative.Entity) map[string]any {
	if a.form {
		return k.Whole(l.Infer(k, a.values, before))
	}
	return k.Whole(maps.Clone(a.values))
}

// readArguments reads a body of JSON or of a form; its refusal is the answer.
func readArguments(r *http.Request) (*arguments, *adminReply) {
	refuse := func(reply adminReply) (*arguments, *adminReply) { return nil, &reply }
	body, err := readBody(r)
	switch {
	case isTooLarge(err):
		return refuse(message(http.StatusRequestEntityTooLarge, "request body too large"))
	case err != nil:
		return refuse(message(http.StatusBadRequest, "the body could not be read"))
	}
	a := &arguments{values: map[string]any{}, form: true}
	mediaType, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/json":
		a.form = false
		if err := json.Unmarshal(body, &a.values); err != nil || a.values == nil {
			return refuse(message(http.StatusBadRequest, "Cannot parse JSON body"))
		}
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err == nil {
			a.values, err = formValues(form)
		}
		if err != nil {
			return refuse(message(http.StatusBadRequest, "Cannot parse form body: "+err.Error()))
		}
	case "multipart/form-data":
		form, err := multipartForm(body, params["boundary"])
		if err == nil {
			a.values, err = formValues(form)
		}
		if err != nil {
			return refuse(message(http.StatusBadRequest, "Cannot parse form body: "+err.Error()))
		}
	case "":
		if len(body) > 0 {
			return refuse(adminReply{status: http.StatusUnsupportedMediaType})
		}
	default:
		return refuse(adminReply{status: http.StatusUnsupportedMediaType})
	}
	return a, nil
}

func readBody(r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(nil, r.Body, maxAdminBody))
}

func isTooLarge(err error) bool {
	var tooLarge *http.MaxBytesError
	return errors.As(err, &tooLarge)
}

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
	lists := map[string]map[int]string{} // of those whose items are numbered
	for key, values := range form {
		steps := strings.Split(key, ".")
		record := root
		for _, step := range steps[:len(steps)-1] {
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
		last := steps[len(steps)-1]
		field, place, isList, err := listField(last)
		if err != nil {
			return nil, err
		}
		switch {
		case place > 0:
			path := strings.TrimSuffix(key, last) + field
			if lists[path] == nil {
				lists[path] = map[int]string{}
			}
			lists[path][place] = values[0]
			record[field] = inOrder(lists[path])
		case isList || len(values) > 1:
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = v
			}
			record[field] = list
		case record[field] != nil:
			return nil, errFormField
		default:
			record[field] = values[0]
		}
	}
	return root, nil
}
