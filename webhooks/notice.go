package webhooks

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// word is a JSON string. Any other value is no word, and no mistake either.
type word string

func (w *word) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err != nil || value.Kind() != '"' {
		return err
	}
	text, err := jsontext.AppendUnquote(nil, value)
	*w = word(text)
	return err
}

// read reads the members of a JSON object that into has. Of what is none, or
// names a member twice, nothing is believed.
func read[T any](body []byte, into *T) {
	if err := json.Unmarshal(body, into); err != nil {
		*into = *new(T)
	}
}

// below puts a provider's name of an event under the provider's own.
func below(prefix, name string) string {
	if name == "" {
		return ""
	}
	return prefix + name
}
