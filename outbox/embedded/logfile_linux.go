package embedded

import (
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// openLog is Pebble's new log, file, as a [logFile] where its file system lets
// it be one.
func openLog(file vfs.File, name string, way *logWay) vfs.File {
	direct, err := os.OpenFile(name, os.O_WRONLY|syscall.O_DIRECT, 0)
	if err != nil {
		return file
	}
	f := &logFile{File: file, direct: direct, way: way, room: pages(logRoom)}
	// That a write is safe is asked for here, and not of each write (RWF_DSYNC):
	// what emulates Linux may pass over a flag that it does not know.
	if way != nil && way.queue != nil {
		f.safe, _ = os.OpenFile(name, os.O_WRONLY|syscall.O_DIRECT|syscall.O_DSYNC, 0)
	}
	return f
}
