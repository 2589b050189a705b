package server

import (
	"context"
	"fmt"
	"time"
)

// lastWord is what an event gets, after its context has ended, to answer Kong.
const lastWord = time.Second

// A connection that is closed while bytes of the peer's are unread is reset,
// and Kong gives the client a 500 for a reset. For a plain end of the stream
// it runs the event again, on the server that has taken over. So stopping
// hangs up first and closes when Kong has.

// stopAccepting takes the path away, so that nobody new comes, and hangs up on
// all connections that no event runs on. The others end with their event.
func (s *Server) stopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = true
	for c := range s.conns {
		if c.state.Swap(closing) == idle {
			c.hangUp()
		}
	}
	s.socket.retire()
}

// hangUp ends the stream to Kong, which closes its side then.
func (c *conn) hangUp() {
	_ = c.peer.CloseWrite()
	_ = c.peer.SetReadDeadline(time.Now().Add(lastWord))
}

// drain waits for the events: first for their own end, then for that of their
// contexts, then not at all.
func (s *Server) drain(cancelEvents context.CancelFunc) error {
	ended := make(chan struct{})
	go func() {
		s.served.Wait()
		close(ended)
	}()
	err := s.waitFor(ended, cancelEvents)
	s.instances.removeAll()
	return err
}

func (s *Server) waitFor(ended <-chan struct{}, cancelEvents context.CancelFunc) error {
	select {
	case <-ended:
		return nil
	case <-time.After(s.options.Drain):
	}
	cancelEvents()
	select {
	case <-ended:
		return nil
	case <-time.After(lastWord):
	}
	left := s.closeAll()
	select {
	case <-ended:
	case <-time.After(lastWord):
	}
	return fmt.Errorf("%d events had not ended after %v and were cut off", left, s.options.Drain+lastWord)
}

func (s *Server) closeAll() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.peer.Close()
	}
	return len(s.conns)
}
