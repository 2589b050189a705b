package embedded

import (
	"encoding/binary"
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// diskQueue makes writes in the kernel's time: their goroutine sleeps as one does
// that waits for a connection, and its processor works for others, which one that
// waits in a system call keeps from them. It costs a little more time than the
// system call. See io_submit(2). A nil queue takes nothing.
type diskQueue struct {
	mu      sync.Mutex // one write at a time
	refused bool       // the kernel, or the file system, does not make such writes
	context uintptr
	ended   *os.File // an eventfd(2), which can be read when a write has ended
	write   ioControl
	end     ioEvent
	count   [8]byte
}

// ioControl is a struct iocb of little-endian machines, and ioEvent an io_event.
type ioControl struct {
	_, _           uint64
	opcode         uint16
	_              int16
	file           uint32
	buffer, length uint64
	offset         int64
	_              uint64
	flags, eventFd uint32
}

type ioEvent struct {
	_, _   uint64
	result int64
	_      int64
}

const (
	opWrite      = 1 // IOCB_CMD_PWRITE
	flagEventFd  = 1 // IOCB_FLAG_RESFD
	writesAtOnce = 1
)

// newDiskQueue returns nil where there is none to be had: a container may forbid
// it.
func newDiskQueue() *diskQueue {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil
	}
	q := &diskQueue{}
	if _, _, errno := syscall.Syscall(unix.SYS_IO_SETUP, writesAtOnce, uintptr(unsafe.Pointer(&q.context)), 0); errno != 0 {
		return nil
	}
	eventFd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		q.destroy()
		return nil
	}
	q.ended = os.NewFile(uintptr(eventFd), "eventfd")
	q.write = ioControl{opcode: opWrite, flags: flagEventFd, eventFd: uint32(eventFd)}
	return q
}

// writeSafely writes p to a file that was opened for direct and safe writes
// (O_DIRECT, O_DSYNC), and returns when what is written would outlive a power
// failure, as after fdatasync(2). It reports whether the kernel does such a thing:
// where it does not, nothing is known to be written.
func (q *diskQueue) writeSafely(file uintptr, p []byte, at int64) (made bool, err error) {
	if q == nil {
		return false, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refused {
		return false, nil
	}
	q.write.file, q.write.offset = uint32(file), at
	q.write.buffer, q.write.length = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))), uint64(len(p))
	list := &[1]*ioControl{&q.write}
	if _, _, errno := syscall.Syscall(unix.SYS_IO_SUBMIT, q.context, 1, uintptr(unsafe.Pointer(list))); errno != 0 {
		q.refused = true
		return false, nil
	}
	if _, err := io.ReadFull(q.ended, q.count[:]); err != nil {
		return true, err
	}
	if n, _, errno := syscall.Syscall6(unix.SYS_IO_GETEVENTS, q.context, 1, 1, uintptr(unsafe.Pointer(&q.end)), 0, 0); n != 1 {
		return true, os.NewSyscallError("io_getevents", errno)
	}
	switch errno := syscall.Errno(-q.end.result); {
	case q.end.result == int64(len(p)):
		return true, nil
	case q.end.result >= 0:
		return true, io.ErrShortWrite
	case errno == syscall.EINTR || errno == syscall.EAGAIN: // a signal, as Go's own, may end a write before it has begun
		return false, nil
	case errno == syscall.EINVAL || errno == syscall.EOPNOTSUPP || errno == syscall.ENOSYS:
		q.refused = true
		return false, nil
	default:
		return true, os.NewSyscallError("write", errno)
	}
}

// close ends the queue, which takes nothing any more. It waits for a write that is
// under way.
func (q *diskQueue) close() {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused = true
	_ = q.ended.Close()
	q.destroy()
}

func (q *diskQueue) destroy() { _, _, _ = syscall.Syscall(unix.SYS_IO_DESTROY, q.context, 0, 0) }
