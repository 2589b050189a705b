package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// A frame is a length, four bytes, little-endian, and that many bytes. Zero is
// a legal length.
const frameHead = 4

// FrameTooLargeError is a frame longer than the server's limit.
type FrameTooLargeError struct {
	Size, Limit int64 // bytes
}

func (e *FrameTooLargeError) Error() string {
	return fmt.Sprintf("a frame of %d bytes is larger than the limit of %d", e.Size, e.Limit)
}

// pageSize is what one event's frames fit into as a rule: two of them, each
// under nginx's client_body_buffer_size.
const pageSize = 16 << 10

var pages = sync.Pool{New: func() any { return new([pageSize]byte) }}

// frames reads frames from a connection through a buffer that grows with the
// bytes that came and never with the length that was claimed. A connection
// without an event holds a few bytes only, for there may be thousands.
type frames struct {
	from  io.Reader
	limit int64

	buf  []byte // what was read and not yet taken is buf[r:w]
	r, w int
	page *[pageSize]byte
	few  [64]byte // fits the command of an event
}

func (f *frames) init(from io.Reader, limit int64) {
	f.from, f.limit = from, limit
	f.buf = f.few[:]
}

// wait blocks until the first byte of a frame has come. Its error is io.EOF
// where the peer has closed between frames.
func (f *frames) wait() error { return f.fill(1) }

// next returns the next frame's bytes, which are the buffer's own until the
// following call. After a [FrameTooLargeError] the frame can be skipped.
func (f *frames) next() ([]byte, error) {
	n, err := f.length()
	if err != nil {
		return nil, err
	}
	if n > f.limit {
		return nil, &FrameTooLargeError{n, f.limit}
	}
	if err := f.fill(frameHead + int(n)); err != nil {
		return nil, inside(err)
	}
	frame := f.buf[f.r+frameHead : f.r+frameHead+int(n)]
	f.r += frameHead + int(n)
	return frame, nil
}

// skip passes over the next frame, whatever its length.
func (f *frames) skip() error {
	n, err := f.length()
	if err != nil {
		return err
	}
	for left := frameHead + n; left > 0; {
		if f.r == f.w {
			if err := f.fill(1); err != nil {
				return inside(err)
			}
		}
		step := min(left, int64(f.w-f.r))
		f.r += int(step)
		left -= step
	}
	return nil
}

func (f *frames) length() (int64, error) {
	if err := f.fill(frameHead); err != nil {
		if f.r < f.w {
			err = inside(err)
		}
		return 0, err
	}
	return int64(binary.LittleEndian.Uint32(f.buf[f.r:])), nil
}

// inside turns the end of the stream into an unexpected one.
func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fill reads until n bytes are at hand.
func (f *frames) fill(n int) error {
	for f.w-f.r < n {
		if f.r == f.w {
			f.r, f.w = 0, 0
		}
		if f.r+n > len(f.buf) || f.w == len(f.buf) {
			f.makeRoom()
		}
		// Kong takes its time. Letting other events run first makes it likely that
		// the bytes are there, and saves a read that finds none and the way
		// through the poller: a tenth of an event's cost on a busy server.
		runtime.Gosched()
		m, err := f.from.Read(f.buf[f.w:])
		f.w += m
		if err != nil && f.w-f.r < n {
			return err
		}
	}
	return nil
}

// makeRoom moves what is at hand to the front, and doubles a buffer that is
// full of it.
func (f *frames) makeRoom() {
	have := f.buf[f.r:f.w]
	if f.r > 0 {
		f.w = copy(f.buf, have)
		f.r = 0
		return
	}
	if len(have) < len(f.buf) {
		return
	}
	switch {
	case f.page == nil && len(f.buf) < pageSize:
		f.usePage()
	default:
		grown := make([]byte, 2*len(f.buf))
		f.w = copy(grown, have)
		f.putPage()
		f.buf = grown
	}
}

// usePage makes room for an event's frames at once, so that they are read with
// one system call where they came together.
func (f *frames) usePage() {
	if f.page != nil || len(f.buf) >= pageSize {
		return
	}
	f.page = pages.Get().(*[pageSize]byte)
	f.w = copy(f.page[:], f.buf[f.r:f.w])
	f.r = 0
	f.buf = f.page[:]
}

func (f *frames) putPage() {
	if f.page != nil {
		pages.Put(f.page)
		f.page = nil
	}
}

// rest gives the big buffer back, if nothing is left in it.
func (f *frames) rest() {
	if f.r != f.w || len(f.buf) == len(f.few) {
		return
	}
	f.putPage()
	f.buf, f.r, f.w = f.few[:], 0, 0
}

// openFrame begins a frame at the end of b; closeFrame, given b's length
// before, completes it.
func openFrame(b []byte) []byte { return append(b, 0, 0, 0, 0) }

func closeFrame(b []byte, start int) []byte {
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-frameHead))
	return b
}

// appendFrame adds a whole frame.
func appendFrame[T string | []byte](b []byte, payload T) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}
