package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// kind is what an event's type says, and which route it takes.
type kind int

const (
	ordered kind = iota // to one destination, in the order of each key
	fanned              // to two destinations, without order
)

// destinations are the receiver's paths: where the kinds go.
var destinations = []string{"/ordered", "/fanned-a", "/fanned-b"}

var kinds = []struct {
	eventType string
	owed      []int // of destinations
}{
	ordered: {"crash.ordered", []int{0}},
	fanned:  {"crash.fanned", []int{1, 2}},
}

// event is what is sent, and what must arrive, to the byte.
type event struct {
	Run  string `json:"run"`
	N    int    `json:"n"` // from 0, over the whole run
	Kind kind   `json:"kind"`
	Key  string `json:"key"`
	Seq  int    `json:"seq"` // from 1, over the key
	Pad  string `json:"pad"`
	// Sum is of the event as JSON with an empty Sum.
	Sum string `json:"sum"`
}

// pad makes up data: mostly some hundred bytes, sometimes nothing, rarely much.
func pad(random *rand.Rand) string {
	n := random.IntN(1000)
	switch random.IntN(50) {
	case 0:
		n = 0
	case 1:
		n = 100_000
	}
	return strings.Repeat(strconv.FormatUint(random.Uint64(), 36)+"ä\"\\ ", n/16)
}

func (e event) id() string { return e.Run + "-" + strconv.Itoa(e.N) }

func (e event) source() string { return "//crash/" + e.Run }

// encode fills in the sum.
func (e event) encode() []byte {
	e.Sum = ""
	e.Sum = e.sum()
	return e.json()
}

func (e event) json() []byte {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // of strings and numbers
	}
	return text
}

func (e event) sum() string {
	sum := sha256.Sum256(e.json())
	return hex.EncodeToString(sum[:12])
}

// decode reads an event that arrived, and whose every byte must be as it was.
func decode(text []byte) (event, error) {
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("is not what any sender sent: %w", err)
	}
	bare := e
	bare.Sum = ""
	switch {
	case bare.sum() != e.Sum:
		return e, errors.New("has another checksum than its own")
	case !bytes.Equal(e.json(), text):
		return e, errors.New("is written otherwise than it was sent")
	case e.Kind != ordered && e.Kind != fanned:
		return e, fmt.Errorf("is of kind %d", e.Kind)
	}
	return e, nil
}
