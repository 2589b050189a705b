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
	return &logFile{File: file, direct: direct, descriptor: direct.Fd(), way: way, room: pages(logRoom)}
}
