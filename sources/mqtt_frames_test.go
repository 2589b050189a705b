package sources

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func publishPacket(topic string, id uint16, size int) []byte {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.MessageID, p.Qos, p.Payload = topic, id, 1, bytes.Repeat([]byte{'x'}, size)
	var b bytes.Buffer
	_ = p.Write(&b)
	return b.Bytes()
}

func TestAPacketThatIsTooLargeIsCutAndTheNextIsWhole(t *testing.T) {
	var wire bytes.Buffer
	sizes := []int{0, 5, 100, 70_000, 1 << 20, 3, 64 << 20, 7}
	for i, size := range sizes {
		wire.Write(publishPacket("a/b", uint16(i+1), size))
	}
	_ = packets.NewControlPacket(packets.Pingresp).Write(&wire)
	f := newFrames(iotest.HalfReader(&wire), 100)
	for i, size := range sizes {
		read, err := packets.ReadPacket(f)
		p, ok := read.(*packets.PublishPacket)
		if err != nil || !ok || p.TopicName != "a/b" || p.MessageID != uint16(i+1) {
			t.Fatalf("packet %d of %d bytes: %v, %v", i, size, read, err)
		}
		if whole := len(p.Payload) == size; !whole && (size <= 100 || len(p.Payload) <= 100 || len(p.Payload) > 100+publishOverhead) {
			t.Errorf("of %d bytes %d are left", size, len(p.Payload))
		}
	}
	if p, err := packets.ReadPacket(f); err != nil || p.(*packets.PingrespPacket) == nil {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := packets.ReadPacket(f); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

func TestPacketsThatAreNoneEndTheConnection(t *testing.T) {
	for name, wire := range map[string][]byte{
		"a length without an end": {0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01},
		"a large SUBACK":          {0x90, 0xFF, 0xFF, 0xFF, 0x7F},
	} {
		if _, err := packets.ReadPacket(newFrames(bytes.NewReader(wire), 100)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever comes in, what is not too large goes through as it is.
func FuzzFrames(f *testing.F) {
	f.Add(publishPacket("a", 1, 10))
	f.Add([]byte{0x30, 0x80, 0x01})
	f.Add([]byte{0xD0, 0x00, 0xD0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		got, err := io.ReadAll(newFrames(bytes.NewReader(wire), 1<<28))
		if err == nil && minimal(wire) && !bytes.HasPrefix(wire, got) {
			t.Fatalf("%x came as %x", wire, got)
		}
	})
}

// minimal reports whether every length must be written in as few bytes as it can
// be, which is how MQTT wants it and frames writes it.
func minimal(wire []byte) bool {
	for i := 1; i < len(wire); i++ {
		if wire[i] == 0 && wire[i-1] >= 0x80 {
			return false
		}
	}
	return true
}
