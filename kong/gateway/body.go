package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// bufferSize is nginx's client_body_buffer_size, as Kong sets it. A body whose
// length is known may be a quarter larger before it goes to a file.
const (
	bufferSize      = 8 << 10
	knownBufferSize = bufferSize + bufferSize/4
)

// bodies numbers the files that large request bodies are kept in.
type bodies struct {
	dir  string
	last atomic.Int64
}

func (b *bodies) create() (*os.File, error) {
	name := fmt.Sprintf("%010d", b.last.Add(1))
	return os.OpenFile(filepath.Join(b.dir, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

// body is a request's body. It is read when somebody asks for it, as in Kong;
// then it lies in memory or in a file, until the request is over.
type body struct {
	e      *exchange
	read   bool
	memory []byte
	file   *os.File
	length int64
	// received is how much of it came from the client.
	received int64
	failure  *bodyError
}

// bodyError is a body that could not be read, with the status that it costs.
type bodyError struct {
	status int
	err    error
}

func (b *bodyError) Error() string { return b.err.Error() }

// load reads the body, once.
func (b *body) load() *bodyError {
	if b.read {
		return b.failure
	}
	b.read = true
	r := &patient{r: b.e.in.Body, control: http.NewResponseController(b.e.out), timeout: b.e.g.o.ClientTimeout}
	if err := b.receive(r); err != nil {
		b.failure = b.classify(err)
		return b.failure
	}
	r.rest()
	return nil
}

func (b *body) receive(r io.Reader) error {
	var source io.Reader = r
	if most := b.e.g.o.ClientMaxBodySize; most > 0 {
		source = io.LimitReader(r, most+1)
	}
	inMemory := int64(bufferSize)
	if b.e.in.ContentLength >= 0 {
		inMemory = knownBufferSize - 1
	}
	var memory bytes.Buffer
	n, err := io.Copy(&memory, io.LimitReader(source, inMemory+1))
	if err != nil {
		return err
	}
	if b.received = n; n <= inMemory {
		b.memory, b.length = memory.Bytes(), n
		return nil
	}
	if b.file, err = b.e.g.bodies.create(); err != nil {
		return err
	}
	if b.length, err = io.Copy(b.file, io.MultiReader(&memory, source)); err != nil {
		return err
	}
	b.received = b.length
	if most := b.e.g.o.ClientMaxBodySize; most > 0 && b.length > most {
		return errTooLarge
	}
	return nil
}

var errTooLarge = errors.New("the request's body is larger than client_max_body_size")

func (b *body) classify(err error) *bodyError {
	switch {
	case errors.Is(err, errTooLarge):
		return &bodyError{http.StatusRequestEntityTooLarge, err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &bodyError{http.StatusRequestTimeout, err}
	default:
		return &bodyError{http.StatusBadRequest, err}
	}
}

// reader returns the body from its beginning; load must have succeeded.
func (b *body) reader() io.ReadCloser {
	if b.file != nil {
		return io.NopCloser(io.NewSectionReader(b.file, 0, b.length))
	}
	return io.NopCloser(bytes.NewReader(b.memory))
}

// replace is kong.service.request.set_raw_body: what plugins and the upstream
// see from now on.
func (b *body) replace(content []byte) {
	b.close()
	b.read, b.failure, b.memory, b.length = true, nil, content, int64(len(content))
}

// close removes the file.
func (b *body) close() {
	if b.file == nil {
		return
	}
	b.file.Close()
	_ = os.Remove(b.file.Name())
	b.file = nil
}

// patient gives a client the same time for each read.
type patient struct {
	r       io.Reader
	control *http.ResponseController
	timeout time.Duration
}

func (p *patient) Read(buf []byte) (int, error) {
	if err := p.control.SetReadDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	return p.r.Read(buf)
}

// rest takes the deadline away, for what follows on the connection.
func (p *patient) rest() { _ = p.control.SetReadDeadline(time.Time{}) }
