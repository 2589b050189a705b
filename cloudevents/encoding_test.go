package cloudevents

import (
	"bytes"
	"compress/gzip"
	"errors"
	"runtime"
	"testing"

	"github.com/kong/keg"
)

func gzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGzipIsUndone(t *testing.T) {
	body := gzipped(t, []byte(`{"event_type":"order.created"}`))
	for _, encoding := range []string{"gzip", "GZIP", " x-gzip "} {
		e := one(t, post(string(body), "content-type", "application/json", "content-encoding", encoding, "content-length", "44"), Options{})
		if e.Type != "order.created" || string(e.Data) != `{"event_type":"order.created"}` {
			t.Errorf("%s: %q, data %q", encoding, e.Type, e.Data)
		}
		if e.Headers.Get("content-encoding") != "" || e.Headers.Get("content-length") != "" {
			t.Errorf("%s: headers still describe the body as it was: %v", encoding, e.Headers)
		}
	}
}

func TestEncodingOfNothing(t *testing.T) {
	for _, r := range []*Request{post("x", "content-encoding", "identity"), post("", "content-encoding", "gzip")} {
		if _, err := FromRequest(r, Options{}); err != nil {
			t.Error(err)
		}
	}
}

func TestBrokenGzipIsRefused(t *testing.T) {
	whole := gzipped(t, bytes.Repeat([]byte("hello "), 100))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-5] ^= 1 // its checksum
	for name, body := range map[string][]byte{"cut": whole[:len(whole)-9], "a flipped bit": flipped, "trailing junk": append(whole[:len(whole):len(whole)], "junk"...)} {
		var invalid *keg.InvalidError
		if _, err := FromRequest(post(string(body), "content-encoding", "gzip"), Options{}); !errors.As(err, &invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTwoEncodingsAreRefused(t *testing.T) {
	var unsupported *keg.UnsupportedError
	if _, err := FromRequest(post("x", "content-encoding", "gzip", "content-encoding", "gzip"), Options{}); !errors.As(err, &unsupported) {
		t.Errorf("got %v", err)
	}
}

func TestGzipBombStopsAtTheLimit(t *testing.T) {
	bomb := gzipped(t, make([]byte, 64<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := FromRequest(post(string(bomb), "content-encoding", "gzip"), Options{MaxBytes: 1 << 20})
	runtime.ReadMemStats(&after)
	var tooLarge *keg.TooLargeError
	if !errors.As(err, &tooLarge) {
		t.Errorf("got %v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes were allocated for a body of at most 1 MiB", used)
	}
}
