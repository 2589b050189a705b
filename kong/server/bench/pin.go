//go:build linux

package main

import (
	"os"
	"syscall"
	"unsafe"
)

// cpus is a set of processors, as the kernel takes it.
type cpus [16]uint64

func (c *cpus) list() []int {
	var all []int
	for i := range len(c) * 64 {
		if c[i/64]&(1<<(i%64)) != 0 {
			all = append(all, i)
		}
	}
	return all
}

// allowed returns the processors that this thread may use.
func allowed() (cpus, error) {
	var set cpus
	_, _, err := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if err != 0 {
		return set, os.NewSyscallError("sched_getaffinity", err)
	}
	return set, nil
}

// pin keeps this thread, and the processes that it starts, on one processor.
func pin(cpu int) error {
	var set cpus
	set[cpu/64] = 1 << (cpu % 64)
	_, _, err := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if err != 0 {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	return nil
}
