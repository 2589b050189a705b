package embedded

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A log of a busy engine goes through the queue; where the kernel does not take
// its writes it goes on as it would without one, and misses nothing.
func TestALogGoesAsideWhileOthersWork(t *testing.T) {
	for name, spoil := range map[string]func(*diskQueue){
		"as it is":             func(*diskQueue) {},
		"the kernel forgot it": func(q *diskQueue) { q.destroy() },
		"an unknown operation": func(q *diskQueue) { q.write.opcode = 200 },
	} {
		t.Run(name, func(t *testing.T) {
			queue := newDiskQueue()
			if queue == nil {
				t.Skip("this kernel has no such queue")
			}
			defer queue.close()
			path, plain := newLog(t, nil)
			f, ok := openLog(plain, path, &logWay{queue: queue}).(*logFile)
			if !ok {
				t.Skip("this file system has no direct writes")
			}
			spoil(queue)
			f.way.busy.Store(true)
			var written []byte
			for i := range 30 {
				part := bytesOf(byte(i), 1+i*300)
				written = append(written, part...)
				if _, err := f.Write(part); err != nil {
					t.Fatal(err)
				}
				if err := f.SyncData(); err != nil {
					t.Fatal(err)
				}
				content, err := os.ReadFile(path)
				if err != nil || !bytes.HasPrefix(content, written) {
					t.Fatalf("after %d bytes the file has %d others: %v", len(written), len(content), err)
				}
			}
			if as := name == "as it is"; queue.refused == as {
				t.Errorf("that the kernel makes such writes no more is %v, want %v", queue.refused, !as)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What became of a write is heard: here of one to a file that is sealed.
func TestAQueueTellsOfAFailedWrite(t *testing.T) {
	queue := newDiskQueue()
	if queue == nil {
		t.Skip("this kernel has no such queue")
	}
	defer queue.close()
	file, err := unix.MemfdCreate("sealed", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(file)
	if made, err := queue.writeSafely(uintptr(file), pages(logPage), 0); !made || err != nil {
		t.Fatal(made, err)
	}
	if _, err := unix.FcntlInt(uintptr(file), unix.F_ADD_SEALS, unix.F_SEAL_WRITE); err != nil {
		t.Fatal(err)
	}
	if made, err := queue.writeSafely(uintptr(file), pages(logPage), 0); !made || !errors.Is(err, syscall.EPERM) {
		t.Errorf("made %v, %v; want EPERM", made, err)
	}
}
