package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
)

// formFile returns the part "config" of a multipart form, as curl's
// -F config=@kong.yml sends it.
func formFile(body []byte, boundary string) ([]byte, error) {
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, errNoConfig
		}
		if err != nil {
			return nil, err
		}
		if part.FormName() == "config" {
			return io.ReadAll(part)
		}
	}
}
