//go:build !linux

package embedded

import "github.com/cockroachdb/pebble/v2/vfs"

func openLog(file vfs.File, _ string) vfs.File { return file }
