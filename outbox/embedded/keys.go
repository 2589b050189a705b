package embedded

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

// The rows, by their first byte. Numbers in keys are big-endian, so that bytes
// sort as they do.
const (
	rowCount    = 'c' // queue -> what waits
	rowDelivery = 'd' // queue, sequence -> a delivery
	rowEvent    = 'e' // sequence -> an event that has a row of its own
	rowKey      = 'k' // queue, hash, sequence: the line behind a key
	rowMark     = 'm' // hash -> when a dedupe mark expires
	rowDeadSum  = 'n' // reason -> number of dead letters
	rowExpiry   = 'o' // time, hash: dedupe marks by expiry
	rowQueue    = 'q' // queue -> its name
	rowRefs     = 'r' // sequence -> deliveries that share an event, if more than one
	rowSequence = 's' // the sequence below which all are taken
	rowTime     = 't' // queue, time, sequence: deliveries that wait for a time
	rowDead     = 'x' // time, sequence -> a dead letter
)

// digest stands for a key or an event's identity; two do not meet by accident,
// nor because a sender wants them to.
type digest [16]byte

func digestOf(parts ...string) (d digest) {
	h := sha256.New()
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	var sum [sha256.Size]byte
	copy(d[:], h.Sum(sum[:0]))
	return d
}

func queueKey(b []byte, kind byte, queue uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind), queue)
}

func deliveryKey(b []byte, queue uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(queueKey(b, rowDelivery, queue), seq)
}

func sequenceKey(b []byte, kind byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, kind), seq)
}

func lineKey(b []byte, queue uint32, key digest, seq uint64) []byte {
	b = append(queueKey(b, rowKey, queue), key[:]...)
	return binary.BigEndian.AppendUint64(b, seq)
}

func timeKey(b []byte, queue uint32, due int64, seq uint64) []byte {
	b = binary.BigEndian.AppendUint64(queueKey(b, rowTime, queue), orderly(due))
	return binary.BigEndian.AppendUint64(b, seq)
}

func parseTimeKey(key []byte) (due int64, seq uint64) {
	return disorderly(binary.BigEndian.Uint64(key[5:])), binary.BigEndian.Uint64(key[13:])
}

func markKey(b []byte, d digest) []byte { return append(append(b, rowMark), d[:]...) }

func expiryKey(b []byte, expiry int64, d digest) []byte {
	return append(binary.BigEndian.AppendUint64(append(b, rowExpiry), orderly(expiry)), d[:]...)
}

func reasonKey(b []byte, reason string) []byte { return append(append(b, rowDeadSum), reason...) }

func deadKey(b []byte, died int64, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(sequenceKey(b, rowDead, orderly(died)), seq)
}

// deadIDs spell a dead letter's key, and sort as it does.
var deadIDs = base32.HexEncoding.WithPadding(base32.NoPadding)

func deadID(key []byte) string { return strings.ToLower(deadIDs.EncodeToString(key[1:])) }

// parseDeadID is the key of a dead letter's row; false where the id is none.
func parseDeadID(id string) ([]byte, bool) {
	if len(id) != 26 {
		return nil, false
	}
	key, err := deadIDs.DecodeString(strings.ToUpper(id))
	return append([]byte{rowDead}, key...), err == nil
}

// orderly makes times before 1970 sort before those after it.
func orderly(n int64) uint64    { return uint64(n) ^ 1<<63 }
func disorderly(n uint64) int64 { return int64(n ^ 1<<63) }

// nanos are a time's nanoseconds since 1970, 0 for the zero time; times that
// nanoseconds cannot tell become the nearest that they can.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() < 1679:
		return -1 << 62
	case t.Year() > 2261:
		return 1<<63 - 1
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
