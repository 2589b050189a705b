package server

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"sync"
	"syscall"
	"time"
)

// guardEvery is how often the socket's path is looked after.
const guardEvery = time.Second

// guard takes the path again where it leads to nobody any more: the file was
// removed, or the process that had taken it over has ended, as one does that
// was started twice or failed in a reload. It returns when ctx ends.
func (s *Server) guard(ctx, events context.Context, accepting *sync.WaitGroup) {
	ticks := time.NewTicker(guardEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if s.socket.isOurs() || !abandoned(s.options.Socket) {
			continue
		}
		again, err := listen(s.options.Socket, s.options.SocketMode, s.log)
		if err != nil {
			s.failures.log(s.log, "", "the plugin socket cannot be taken again for now", err)
			continue
		}
		s.log.Warn("nobody listened on the plugin socket any more: taken again", "socket", s.options.Socket)
		s.mu.Lock()
		lost := s.socket
		s.socket = again
		s.mu.Unlock()
		lost.retire()
		accepting.Go(func() { s.accept(events, again) })
	}
}

// abandoned reports whether nobody listens on the path for sure. A process that
// is too busy to be connected to does listen.
func abandoned(path string) bool {
	peer, err := net.DialTimeout("unix", path, guardEvery)
	if err == nil {
		_ = peer.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}
