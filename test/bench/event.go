//go:build linux

package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

const (
	eventBytes = 1000 // of an event's data
	eventType  = "bench.event"
)

// events are those of one run: each is a JSON object with the run, a number from
// 1 on and a checksum, so that a receiver sees which are missing, which came
// twice and which are not what was sent.
type events struct {
	run  string
	data []byte // of the last event that was made
}

// Where the parts of an event's data are.
const (
	runAt    = len(`{"run":"`)
	numberAt = runAt + 8 + len(`","number":"`)
	sumAt    = numberAt + 10 + len(`","sum":"`)
)

func newEvents() *events {
	run := fmt.Sprintf("%.8s", rand.Text())
	data := fmt.Appendf(nil, `{"run":"%s","number":"%010d","sum":"%08x","filler":"`, run, 0, 0)
	for len(data) < eventBytes {
		data = append(data, rand.Text()...)
	}
	return &events{run, append(data[:eventBytes-2], `"}`...)}
}

// id is the number's event's.
func (e *events) id(number int) string { return fmt.Sprintf("%s-%010d", e.run, number) }

// make returns the data of an event. It is valid until the next call.
func (e *events) make(number int) []byte {
	putDecimal(e.data[numberAt:numberAt+10], number)
	copy(e.data[sumAt:], "00000000")
	putHex(e.data[sumAt:sumAt+8], crc32.ChecksumIEEE(e.data))
	return e.data
}

// number is that of an event which arrived as it was sent. It changes data.
func (e *events) number(data []byte) (int, error) {
	if len(data) != eventBytes || !bytes.HasPrefix(data, e.data[:numberAt]) {
		return 0, errors.New("what arrived is no event of this run")
	}
	number, err := strconv.Atoi(string(data[numberAt : numberAt+10]))
	if err != nil {
		return 0, err
	}
	sum, err := strconv.ParseUint(string(data[sumAt:sumAt+8]), 16, 32)
	if err != nil {
		return 0, err
	}
	copy(data[sumAt:], "00000000")
	if crc32.ChecksumIEEE(data) != uint32(sum) {
		return 0, fmt.Errorf("event %d arrived changed", number)
	}
	return number, nil
}

// putDecimal fills b with a number and leading zeros.
func putDecimal(b []byte, number int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(number%10)
		number /= 10
	}
}

func putHex(b []byte, number uint32) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[number&15]
		number >>= 4
	}
}
