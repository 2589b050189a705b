package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"

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
