package server

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of a plugin's, caught.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// run calls the phase's method and turns a panic into an error.
func (s *Server) run(in *instance, call *Call) error {
	handle := in.handlers[call.phase]
	if handle == nil {
		return fmt.Errorf("%s does not handle phase %q", in.plugin.Name, call.phase)
	}
	return guarded(func() error { return handle(&call.ctx, call) })
}

// guarded calls f and turns a panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{value, debug.Stack()}
		}
	}()
	return f()
}
