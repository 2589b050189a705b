package gateway

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/kong/keg/kong/gateway/declarative"
)

// maxConfig bounds what is posted to the Admin API.
const maxConfig = 16 << 20

// adminConfig is POST /config: the body is a declarative configuration, or has
// one in its field "config", as JSON, a form, or a file of a form.
func (g *Gateway) adminConfig(r *http.Request) adminReply {
	value, hash, err := readConfig(r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return message(http.StatusRequestEntityTooLarge, "request body too large")
	case errors.Is(err, errNoConfig):
		return message(http.StatusBadRequest, "expected a declarative configuration")
	case err != nil:
		return declarativeReply(declarative.Unreadable(err))
	}
	if hash == g.state.Load().config.Hash && r.URL.Query().Get("check_hash") == "1" {
		return adminReply{status: http.StatusNotModified}
	}
	config, err := g.loader.LoadValue(value, hash)
	if err == nil {
		err = g.use(config)
	}
	var refused *declarative.Error
	switch {
	case errors.As(err, &refused):
		return declarativeReply(refused)
	case err != nil:
		return declarativeReply(declarative.Unreadable(err))
	}
	return jsonReply(http.StatusCreated, loaded(config))
}

func declarativeReply(e *declarative.Error) adminReply {
	return adminReply{status: http.StatusBadRequest, body: e.Body()}
}

var errNoConfig = errors.New("there is no configuration in the body")

func readConfig(r *http.Request) (value any, hash string, err error) {
	body, err := readBody(r)
	if err != nil {
		return nil, "", err
	}
	mediaType, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/x-www-form-urlencoded":
		if form, err := url.ParseQuery(string(body)); err == nil && form.Has("config") {
			body = []byte(form.Get("config"))
		}
	case "multipart/form-data":
		if body, err = formFile(body, params["boundary"]); err != nil {
			return nil, "", err
		}
	default:
		var wrapped struct {
			Config json.RawMessage `json:"config"`
		}
		if json.Unmarshal(body, &wrapped) == nil && len(wrapped.Config) > 0 {
			body = wrapped.Config
			var inner string
			if json.Unmarshal(body, &inner) == nil {
				body = []byte(inner)
			}
		}
	}
	if len(body) == 0 {
		return nil, "", errNoConfig
	}
	sum := md5.Sum(body)
	value, err = declarative.Decode(body)
	return value, hex.EncodeToString(sum[:]), err
}

func readBody(r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(nil, r.Body, maxConfig))
}

// loaded lists what a configuration has, by kind and id.
func loaded(config *declarative.Config) map[string]any {
	out := map[string]any{}
	for _, kind := range []string{"services", "routes", "plugins"} {
		byID := map[string]any{}
		for _, e := range entities(config, kind, nil, nil) {
			byID[e.ID] = e.Fields
		}
		if len(byID) > 0 {
			out[kind] = byID
		}
	}
	return out
}

// adminValidate is POST /schemas/plugins/validate.
func (g *Gateway) adminValidate(r *http.Request) adminReply {
	body, err := readBody(r)
	if err != nil {
		return message(http.StatusBadRequest, "the body could not be read")
	}
	var value any
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType == "application/x-www-form-urlencoded" {
		return message(http.StatusUnsupportedMediaType, "the stand-in takes JSON here; send Content-Type: application/json")
	}
	if value, err = declarative.Decode(body); err != nil {
		return message(http.StatusBadRequest, "Cannot parse JSON body")
	}
	if problem := g.loader.CheckPlugin(value); problem != nil {
		return declarativeReply(problem)
	}
	return message(http.StatusOK, "schema validation successful")
}
