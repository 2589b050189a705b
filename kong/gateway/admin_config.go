package gateway

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/kong/keg/kong/gateway/declarative"
)

// adminConfig is GET /config: what there is, as a declarative configuration.
func (g *Gateway) adminConfig(*http.Request) adminReply {
	text, err := g.config().YAML()
	if err != nil {
		return g.errorReply(err)
	}
	return jsonReply(http.StatusOK, map[string]string{"config": string(text)})
}

// adminLoad is POST /config: the body is a declarative configuration, or has one
// in its field "config", as JSON, a form, or a file of a form.
func (g *Gateway) adminLoad(r *http.Request) adminReply {
	value, hash, err := readConfig(r)
	switch {
	case isTooLarge(err):
		return message(http.StatusRequestEntityTooLarge, "request body too large")
	case errors.Is(err, errNoConfig):
		return message(http.StatusBadRequest, "expected a declarative configuration")
	case err != nil:
		return g.errorReply(declarative.Unreadable(err))
	}
	g.changing.Lock()
	defer g.changing.Unlock()
	if hash == g.config().Hash && truthy(r.URL.Query().Get("check_hash")) {
		return adminReply{status: http.StatusNotModified}
	}
	config, err := g.loader.LoadValue(value, hash)
	if err == nil {
		err = g.use(config)
	}
	var refused *declarative.Error
	switch {
	case err == nil:
		return jsonReply(http.StatusCreated, loaded(config))
	case !errors.As(err, &refused):
		err = declarative.Unreadable(err)
	}
	return g.errorReply(err)
}

// truthy is what Kong takes for a yes.
func truthy(text string) bool {
	switch strings.ToLower(text) {
	case "1", "on", "t", "true", "y", "yes":
		return true
	}
	return false
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
		form, err := multipartForm(body, params["boundary"])
		if err != nil {
			return nil, "", err
		}
		body = []byte(form.Get("config"))
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

// loaded lists what a configuration has, by kind and id.
func loaded(config *declarative.Config) map[string]any {
	out := map[string]any{}
	for _, k := range declarative.Kinds() {
		byID := map[string]any{}
		for _, e := range config.Entities(k) {
			byID[e.ID] = e.Fields
		}
		if len(byID) > 0 {
			out[k.Name] = byID
		}
	}
	return out
}
