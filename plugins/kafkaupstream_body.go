package plugins

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kong/keg"
)

// bodyForm is what a body is, by its content type.
type bodyForm int

const (
	binaryBody bodyForm = iota
	textBody
	formBody
	multipartBody
	jsonBody
)

// bodyKind tells by the media type alone, whatever its parameters.
func bodyKind(contentType string) bodyForm {
	mediaType, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(mediaType)) {
	case "text/plain", "text/html", "text/xml", "application/xml", "application/soap+xml":
		return textBody
	case "application/x-www-form-urlencoded":
		return formBody
	case "multipart/form-data":
		return multipartBody
	case "application/json":
		return jsonBody
	}
	return binaryBody
}

// bodyArgs are what a body says: JSON, or arguments; neither where it is not
// read.
type bodyArgs struct {
	json []byte
	list []arg
}

// read reads a body. One that is not what its type says is the client's error.
func (k bodyForm) read(contentType string, body []byte) (args bodyArgs, err error) {
	problem := ""
	switch {
	case k == formBody:
		args.list = parseArgs(string(body))
	case len(body) == 0:
	case k == jsonBody:
		args.json = bytes.TrimSpace(body)
		value := jsontext.Value(args.json)
		if kind := value.Kind(); kind != '{' && kind != '[' || !value.IsValid(jsontext.AllowDuplicateNames(true)) {
			problem = "is no JSON object or list"
		}
	case k == multipartBody:
		if args.list, err = readMultipart(contentType, body); err != nil {
			problem = "is no multipart form: " + err.Error()
		}
	}
	if problem != "" {
		return args, &keg.InvalidError{Attribute: "body", Problem: problem}
	}
	return args, nil
}

// maxParts bounds the parts of a multipart form.
const maxParts = 1000

// readMultipart reads the parts that have a name and are text; others are in the
// body alone.
func readMultipart(contentType string, body []byte) ([]arg, error) {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || parameters["boundary"] == "" {
		return nil, errors.New("its content type names no boundary")
	}
	parts := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	args := argList{list: []arg{}}
	for range maxParts {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return args.list, nil
		}
		if err != nil {
			return nil, errors.New("a part of it cannot be read")
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, errors.New("it ends in the middle of a part")
		}
		if name := part.FormName(); name != "" && utf8.Valid(value) {
			text := string(value)
			args.add(name, &text)
		}
	}
	return nil, errors.New("it has more than 1000 parts")
}
