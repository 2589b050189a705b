package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"google.golang.org/protobuf/encoding/protowire"
)

// Body is where a body will be.
type Body struct{ a *answer }

// Value returns the body, nil where it is empty. It is the caller's to keep.
func (b Body) Value() []byte { return b.a.body }

// BodyTooLargeError is a body of more bytes than the caller allows. Size is 0
// where Kong did not tell.
type BodyTooLargeError struct {
	Size, Limit int64
}

func (e *BodyTooLargeError) Error() string {
	return fmt.Sprintf("the body is larger than %d bytes", e.Limit)
}

// RawBody asks for the request's body, at most limit bytes of it: a larger one
// is a [BodyTooLargeError] of [Batch.Do]. A body over nginx's
// client_body_buffer_size lies in a file that Kong names; it is read here, and
// never more of it than the limit.
func (b *Batch) RawBody(limit int64) Body {
	a := b.add("kong.request.get_raw_body", readRawBody, nil)
	a.limit = limit
	return Body{a}
}

// ServiceRawBody asks for the body of the upstream's answer, in phase
// response.
func (b *Batch) ServiceRawBody(limit int64) Body {
	a := b.add("kong.service.response.get_raw_body", readByteString, nil)
	a.limit = limit
	return Body{a}
}

// readRawBody reads a RawBodyResult: content, a file's path, or an error.
func readRawBody(a *answer, frame []byte) error {
	return eachField(frame, func(f field) (err error) {
		if f.wire != protowire.BytesType {
			return nil
		}
		switch f.number {
		case 1:
			return a.keepBody(f.bytes)
		case 2:
			a.body, err = readBodyFile(string(f.bytes), a.limit)
		case 3:
			err = fmt.Errorf("the body could not be read by Kong: %q", f.bytes)
		}
		return err
	})
}

func readByteString(a *answer, frame []byte) error {
	return eachField(frame, func(f field) error {
		if f.number == 1 && f.wire == protowire.BytesType {
			return a.keepBody(f.bytes)
		}
		return nil
	})
}

func (a *answer) keepBody(content []byte) error {
	if int64(len(content)) > a.limit {
		return &BodyTooLargeError{int64(len(content)), a.limit}
	}
	if len(content) > 0 {
		a.body = append(make([]byte, 0, len(content)), content...)
	}
	return nil
}

// readBodyFile reads the file that nginx keeps a body in. It opens nothing
// that could block or is not a file, for the path is another process's word.
func readBodyFile(path string, limit int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the body that Kong keeps in a file (the plugin server must run as Kong's user): %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q, which Kong names as the body's file, is no regular file", path)
	}
	if info.Size() > limit {
		return nil, &BodyTooLargeError{info.Size(), limit}
	}
	body := make([]byte, info.Size())
	if _, err := io.ReadFull(file, body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = errors.New("it became shorter")
		}
		return nil, fmt.Errorf("reading the body's file %q: %w", path, err)
	}
	return body, nil
}
