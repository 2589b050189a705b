package sources

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// frames is a stream of MQTT packets in which none is larger than a source can
// do with: paho takes as much memory as a packet says that it has, up to 256 MB. Of
// a PUBLISH that is larger the beginning is left, which is still larger than the
// source's limit, so that it becomes a dead letter and can be acknowledged; to
// hang up would make the broker send it again for ever.
type frames struct {
	from *bufio.Reader // more than the few bytes that paho asks for at a time
	most int

	head [5]byte
	left []byte // of the head
	pass int    // bytes of the packet that follow
	skip int    // and those that do not
}

const (
	packetPublish = 3
	// publishOverhead is a topic with its length, and a packet identifier.
	publishOverhead = 2 + 65535 + 2
)

func newFrames(from io.Reader, maxPayload int) *frames {
	return &frames{from: bufio.NewReaderSize(from, 32<<10), most: publishOverhead + maxPayload + 1}
}

func (f *frames) Read(b []byte) (int, error) {
	for len(b) > 0 {
		switch {
		case len(f.left) > 0:
			n := copy(b, f.left)
			f.left = f.left[n:]
			return n, nil
		case f.pass > 0:
			n, err := f.from.Read(b[:min(len(b), f.pass)])
			f.pass -= n
			return n, err
		case f.skip > 0:
			n, err := f.from.Discard(f.skip)
			if f.skip -= n; err != nil {
				return 0, err
			}
		default:
			if err := f.next(); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

var errLength = errors.New("the broker sent a packet whose length has no end")

// next reads a packet's head (MQTT 3.1.1, section 2.2).
func (f *frames) next() error {
	first, err := f.from.ReadByte()
	if err != nil {
		return err
	}
	length := 0
	for i := 0; ; i++ {
		digit, err := f.from.ReadByte()
		if err != nil {
			return err
		}
		length |= int(digit&0x7F) << (7 * i)
		if digit < 0x80 {
			break
		}
		if i == 3 {
			return errLength
		}
	}
	f.pass = length
	if length > f.most {
		if first>>4 != packetPublish {
			return fmt.Errorf("the broker sent a packet of %d bytes that is no message", length)
		}
		f.pass, f.skip = f.most, length-f.most
	}
	f.left = append(f.head[:0], first)
	for rest := f.pass; ; {
		digit := byte(rest & 0x7F)
		if rest >>= 7; rest > 0 {
			digit |= 0x80
		}
		f.left = append(f.left, digit)
		if rest == 0 {
			return nil
		}
	}
}
