package embedded

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// Else a store whose disk is full when it is opened again would say that its
// files cannot be written, and not why.
func TestAClosedFenceTellsWhatHasFailed(t *testing.T) {
	var told error
	f := &fence{failed: func(err error) { told = err }}
	if err := f.may(); err != nil {
		t.Error(err)
	}
	f.fail(&os.PathError{Op: "write", Path: "000007.sst", Err: syscall.ENOSPC})
	f.fail(errors.New("another"))
	err := f.may()
	if !errors.Is(err, errFenced) || !full(err) || !full(told) || unavailable(err).Problem != "the disk is full" {
		t.Errorf("%v; told %v", err, told)
	}
}
