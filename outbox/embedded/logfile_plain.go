//go:build !linux

package embedded

import "github.com/cockroachdb/pebble/v2/vfs"

func openLog(file vfs.File, _ string, _ *logWay) vfs.File { return file }

// diskQueue is Linux's.
type diskQueue struct{}

func newDiskQueue() *diskQueue { return nil }

func (*diskQueue) writeSafely(uintptr, []byte, int64) (made bool, err error) { return false, nil }
func (*diskQueue) close()                                                    {}
