package cloudevents

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"sync"

	"github.com/kong/keg"
)

var gzipReaders sync.Pool

// decodeBody undoes the request's Content-Encoding, and holds the body to
// maxBytes before and after: a small body that unfolds into a huge one is
// given up at the limit.
func decodeBody(r *Request, maxBytes int64) error {
	if int64(len(r.Body)) > maxBytes {
		return &keg.TooLargeError{What: "body", Limit: maxBytes, Unit: "bytes"}
	}
	if len(r.Body) == 0 {
		r.Body = nil // no data, which is not the same as empty data
	}
	encodings := r.Headers["content-encoding"]
	if len(encodings) == 0 {
		return nil
	}
	switch encoding := strings.ToLower(strings.TrimSpace(strings.Join(encodings, ","))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		body, err := gunzip(r.Body, maxBytes)
		if err != nil {
			return err
		}
		r.Body = body
		delete(r.Headers, "content-length")
	default:
		return &keg.UnsupportedError{Problem: "the content encoding is one that KEG cannot read; send gzip or none"}
	}
	delete(r.Headers, "content-encoding")
	return nil
}

func gunzip(b []byte, maxBytes int64) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	broken := &keg.InvalidError{Problem: "the body is no whole gzip stream, which Content-Encoding says it is"}
	reader, _ := gzipReaders.Get().(*gzip.Reader)
	if reader == nil {
		reader = new(gzip.Reader)
	}
	defer gzipReaders.Put(reader)
	if err := reader.Reset(bytes.NewReader(b)); err != nil {
		return nil, broken
	}
	body, err := io.ReadAll(io.LimitReader(reader, maxBytes+1))
	switch {
	case int64(len(body)) > maxBytes:
		return nil, &keg.TooLargeError{What: "body", Limit: maxBytes, Unit: "bytes"}
	case err != nil:
		return nil, broken
	}
	return body, nil
}
