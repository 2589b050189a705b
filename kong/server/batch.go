package server

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// Batch is a list of calls that go to Kong in one write. Each method that adds
// a call returns where its answer will be once [Batch.Do] has returned nil;
// until then, and where a call failed, the answer is zero.
//
// A call that Kong refuses (an unknown method, one that the phase does not
// allow, arguments of the wrong kind) ends the whole request with a 500. So a
// batch holds only calls that cannot fail in its phase. In phase log Kong
// answers from what it kept of the request.
type Batch struct {
	call  *Call
	first [4]answer
	count int
	more  []*answer
	out   []byte // the frames of the calls
	buf   [144]byte
	err   error
	done  bool
}

// answer is where the answer of one call will be.
type answer struct {
	method  string
	read    func(*answer, []byte) error // fills in one of the following
	text    string
	number  float64
	headers map[string][]string
	body    []byte
	message proto.Message
	// limit is the most bytes of a body; givenUp counts the headers that were
	// left out.
	limit, givenUp int64
	err            error
}

// writeInline is how much can be written before anything is read: it fits
// what the kernel keeps for a socket whatever its settings.
const writeInline = 4 << 10

// ErrDone is the error of a batch that has been sent already.
var ErrDone = errors.New("the batch has been sent: begin another")

// ErrGone: the connection to Kong broke, and nobody is left to answer. A phase
// returns it.
var ErrGone = errors.New("the connection to Kong is broken")

// Do writes the calls and reads their answers. Its error wraps [ErrGone], or says
// which single answers could not be read. It blocks until Kong has answered.
func (b *Batch) Do() error {
	if b.done {
		return ErrDone
	}
	b.done = true
	if b.err != nil {
		return b.err
	}
	if err := b.call.usable(); err != nil {
		return err
	}
	if b.count == 0 {
		return nil
	}
	if err := b.exchange(); err != nil {
		b.call.broken = fmt.Errorf("%w: %w", ErrGone, err)
		return b.call.broken
	}
	b.call.ctx.restart(now())
	var errs []error
	for i := range b.count {
		if a := b.answer(i); a.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.method, a.err))
		}
	}
	return errors.Join(errs...)
}

// exchange reads while it writes where the calls are too many for the socket:
// Kong answers each before it takes the next, and would stop taking.
func (b *Batch) exchange() error {
	conn := b.call.conn
	conn.in.usePage()
	if b != &b.call.batch { // the first one comes right after the event's own
		conn.arm()
	}
	b.call.owed = b.count
	if len(b.out) <= writeInline {
		if _, err := conn.peer.Write(b.out); err != nil {
			return fmt.Errorf("asking Kong: %w", err)
		}
		return b.readAnswers()
	}
	written := make(chan error, 1)
	go func() {
		_, err := conn.peer.Write(b.out)
		written <- err
	}()
	err := b.readAnswers()
	if err != nil {
		_ = conn.peer.Close() // the write must end too
	}
	return errors.Join(err, <-written)
}

func (b *Batch) readAnswers() error {
	in := &b.call.conn.in
	for i := range b.count {
		a := b.answer(i)
		frame, err := in.next()
		if err == nil {
			a.err = a.read(a, frame)
		} else if tooLarge, ok := err.(*FrameTooLargeError); ok {
			a.err = tooLarge
			err = in.skip()
		}
		if err != nil {
			return fmt.Errorf("%s: reading Kong's answer: %w", a.method, err)
		}
		b.call.owed--
	}
	return nil
}

func (b *Batch) answer(i int) *answer {
	if i < len(b.first) {
		return &b.first[i]
	}
	return b.more[i-len(b.first)]
}

// add queues a call whose argument has been encoded.
func (b *Batch) add(method string, read func(*answer, []byte) error, argument []byte) *answer {
	if b.out == nil {
		b.out = b.buf[:0]
	}
	b.out = appendFrame(b.out, method)
	b.out = appendFrame(b.out, argument)
	b.count++
	if b.count > len(b.first) {
		b.more = append(b.more, new(answer))
	}
	a := b.answer(b.count - 1)
	a.method, a.read = method, read
	return a
}

// refuse remembers a call that cannot be made.
func (b *Batch) refuse(err error) { b.err = errors.Join(b.err, err) }

// Ask adds any method of the kit, with its argument's message (nil for none)
// and the message that its answer is decoded into (nil for none).
func (b *Batch) Ask(method string, argument, into proto.Message) {
	var encoded []byte
	if argument != nil {
		var err error
		if encoded, err = proto.Marshal(argument); err != nil {
			b.refuse(fmt.Errorf("%s: %w", method, err))
			return
		}
	}
	b.add(method, readMessage, encoded).message = into
}

func readMessage(a *answer, frame []byte) error {
	if a.message == nil {
		return nil
	}
	return proto.Unmarshal(frame, a.message)
}
