package server

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
)

// bridge is the connection as go-pdk's kit uses it: it writes the two frames of
// a call in small pieces, then reads one. The pieces are gathered and written
// when it turns to reading.
type bridge struct {
	net.Conn // nil: the kit only reads and writes
	call     *Call
	out, in  []byte
}

var exitMethod = appendFrame(nil, "kong.response.exit")

func (b *bridge) Write(p []byte) (int, error) {
	if err := b.call.usable(); err != nil {
		return 0, err
	}
	b.out = append(b.out, p...)
	return len(p), nil
}

func (b *bridge) Read(p []byte) (int, error) {
	if len(b.in) == 0 {
		if err := b.exchange(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.in)
	b.in = b.in[n:]
	return n, nil
}

func (b *bridge) Close() error { return nil }

// exchange writes what was gathered and reads the frame that answers it.
func (b *bridge) exchange() error {
	c := b.call
	if err := c.usable(); err != nil {
		return err
	}
	conn := c.conn
	conn.arm()
	exit := bytes.HasPrefix(b.out, exitMethod)
	c.owed = 1
	_, err := conn.peer.Write(b.out)
	b.out = b.out[:0]
	if err != nil {
		c.broken = err
		return err
	}
	if exit {
		c.exited = true
		return io.EOF
	}
	conn.in.usePage()
	frame, err := conn.in.next()
	if err != nil {
		c.broken = err
		return err
	}
	c.owed = 0
	b.in = binary.LittleEndian.AppendUint32(b.in[:0], uint32(len(frame)))
	b.in = append(b.in, frame...)
	return nil
}
