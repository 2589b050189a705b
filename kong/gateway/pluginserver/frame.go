package pluginserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// MaxFrame is the largest frame that is read from a plugin.
const MaxFrame = 256 << 20

// readFrame reads one frame: a 4-byte little-endian length and as many bytes.
func readFrame(conn net.Conn, timeout time.Duration) ([]byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return nil, socketError(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, socketError(err)
	}
	length := binary.LittleEndian.Uint32(head[:])
	if length == 0 {
		return nil, nil
	}
	if length > MaxFrame {
		return nil, fmt.Errorf("a frame of %d bytes is more than the stand-in reads (%d)", length, MaxFrame)
	}
	// Grown as the bytes come, so that a length alone costs nothing.
	payload := make([]byte, 0, min(length, 64<<10))
	for uint32(len(payload)) < length {
		if len(payload) == cap(payload) {
			grown := make([]byte, len(payload), min(uint64(length), 2*uint64(cap(payload))))
			copy(grown, payload)
			payload = grown
		}
		n, err := conn.Read(payload[len(payload):cap(payload)])
		payload = payload[:len(payload)+n]
		if err != nil && uint32(len(payload)) < length {
			return nil, socketError(err)
		}
	}
	return payload, nil
}

func writeFrame(conn net.Conn, timeout time.Duration, payload []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return sendError{socketError(err)}
	}
	frame := make([]byte, 4, 4+len(payload))
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	if _, err := conn.Write(append(frame, payload...)); err != nil {
		return sendError{socketError(err)}
	}
	return nil
}

// The texts that Kong's sockets give for errors; its retry rule looks at them.
var (
	errClosed     = errors.New("closed")
	errTimeout    = errors.New("timeout")
	errReset      = errors.New("connection reset by peer")
	errBrokenPipe = errors.New("broken pipe")
	errRefused    = errors.New("connection refused")
	errNoSocket   = errors.New("no such file or directory")
)

// sendError is an error of writing. Kong raises it as a Lua error, which ends
// the request with 500 whatever its text is.
type sendError struct{ error }

func (e sendError) Unwrap() error { return e.error }

func socketError(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return errClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTimeout
	case errors.Is(err, syscall.ECONNRESET):
		return errReset
	case errors.Is(err, syscall.EPIPE):
		return errBrokenPipe
	case errors.Is(err, syscall.ECONNREFUSED):
		return errRefused
	case errors.Is(err, os.ErrNotExist):
		return errNoSocket
	}
	return err
}
