package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func framesOf(r io.Reader, limit int64) *frames {
	f := new(frames)
	f.init(r, limit)
	return f
}

func readAll(t *testing.T, f *frames) [][]byte {
	t.Helper()
	var all [][]byte
	for {
		frame, err := f.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(frame))
	}
}

func TestFramesComeWholeHoweverTheyArrive(t *testing.T) {
	sent := [][]byte{{}, []byte("a"), bytes.Repeat([]byte("b"), 63), {}, bytes.Repeat([]byte("c"), pageSize+1), bytes.Repeat([]byte("d"), 200_000), []byte("e")}
	var stream []byte
	for _, frame := range sent {
		stream = appendFrame(stream, frame)
	}
	for name, r := range map[string]io.Reader{
		"at once":            bytes.NewReader(stream),
		"byte by byte":       iotest.OneByteReader(bytes.NewReader(stream)),
		"in halves":          iotest.HalfReader(bytes.NewReader(stream)),
		"with the end at it": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			f := framesOf(r, 1<<20)
			if diff := cmp.Diff(sent, readAll(t, f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestABufferIsGivenBackBetweenEvents(t *testing.T) {
	stream := appendFrame(appendFrame(nil, make([]byte, pageSize-8)), "next")
	f := framesOf(bytes.NewReader(stream[:len(stream)-8]), 1<<20)
	if _, err := f.next(); err != nil {
		t.Fatal(err)
	}
	if f.page == nil {
		t.Error("a frame of a page was read without one")
	}
	f.rest()
	if f.page != nil || len(f.buf) != len(f.few) {
		t.Errorf("an idle connection holds %d bytes", len(f.buf))
	}
}

func TestABufferIsKeptWhileItHoldsBytes(t *testing.T) {
	f := framesOf(strings.NewReader(string(appendFrame(appendFrame(nil, make([]byte, 1000)), "next"))), 1<<20)
	if _, err := f.next(); err != nil {
		t.Fatal(err)
	}
	f.rest()
	frame, err := f.next()
	if err != nil || string(frame) != "next" {
		t.Errorf("got %q, %v", frame, err)
	}
}

func TestAClaimedLengthCostsNothingBeforeItsBytesCome(t *testing.T) {
	stream := append(binary.LittleEndian.AppendUint32(nil, math.MaxUint32), "a few bytes"...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := framesOf(bytes.NewReader(stream), math.MaxUint32).next()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("a frame of 11 bytes that claims 4 GiB allocated %d bytes", grown)
	}
}

func TestAFrameOverTheLimitIsRefusedAndCanBeSkipped(t *testing.T) {
	stream := appendFrame(appendFrame(nil, make([]byte, 100_000)), "next")
	f := framesOf(iotest.HalfReader(bytes.NewReader(stream)), 99_999)
	_, err := f.next()
	var tooLarge *FrameTooLargeError
	if !errors.As(err, &tooLarge) || tooLarge.Size != 100_000 || tooLarge.Limit != 99_999 {
		t.Fatalf("got %v", err)
	}
	if err := f.skip(); err != nil {
		t.Fatal(err)
	}
	if frame, err := f.next(); err != nil || string(frame) != "next" {
		t.Errorf("got %q, %v", frame, err)
	}
	if len(f.buf) > pageSize {
		t.Errorf("skipping took a buffer of %d bytes", len(f.buf))
	}
}

func TestTheEndInsideAFrameIsUnexpected(t *testing.T) {
	whole := appendFrame(nil, "payload")
	for n := 1; n < len(whole); n++ {
		if _, err := framesOf(bytes.NewReader(whole[:n]), 100).next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	if _, err := framesOf(strings.NewReader(""), 100).next(); err != io.EOF {
		t.Errorf("between frames: %v", err)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, "a"), "bc"), uint8(1))
	f.Add([]byte{255, 255, 255, 255, 1}, uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		const limit = 1 << 10
		in := framesOf(&stepReader{stream, max(int(step), 1)}, limit)
		for rest := stream; ; {
			frame, err := in.next()
			if _, ok := err.(*FrameTooLargeError); ok {
				err = in.skip()
				if n := int64(binary.LittleEndian.Uint32(rest)); err == nil {
					rest = rest[4+n:]
					continue
				}
			}
			if err != nil {
				return
			}
			if n := int(binary.LittleEndian.Uint32(rest)); !bytes.Equal(frame, rest[4:4+n]) {
				t.Fatalf("read %q of %q", frame, rest)
			}
			rest = rest[4+len(frame):]
		}
	})
}

// stepReader gives so many bytes at a time.
type stepReader struct {
	rest []byte
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:min(r.step, len(r.rest))])
	r.rest = r.rest[n:]
	return n, nil
}
