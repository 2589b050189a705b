package sources

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/cloudevents"
)

// item is one thing that a broker gave: an event on its way to the intake, or a
// dead letter on its way to be kept.
type item struct {
	event *keg.Event
	dead  *keg.DeadLetter
	at    location
}

// location is where a broker has it, or had, for whoever looks for it later.
type location struct {
	topic     string
	record    bool // it is Kafka's, and has the rest
	partition int32
	offset    int64
}

func (l location) String() string {
	topic := strings.ToValidUTF8(l.topic, "?") // in MQTT, whoever publishes chose it
	if !l.record {
		return fmt.Sprintf("topic %q", topic)
	}
	return fmt.Sprintf("topic %q, partition %d, offset %d", topic, l.partition, l.offset)
}

// headers are the location for programs.
func (l location) headers() keg.Headers {
	h := keg.Headers{"keg-source-topic": {strings.ToValidUTF8(l.topic, "?")}}
	if l.record {
		h["keg-source-partition"] = []string{strconv.Itoa(int(l.partition))}
		h["keg-source-offset"] = []string{strconv.FormatInt(l.offset, 10)}
	}
	return h
}

// abandoned is the item as a dead letter that died of err.
func (i item) abandoned(e *keg.Event, reason keg.Reason, err error) item {
	copied := *e
	copied.Headers = maps.Clone(e.Headers)
	if copied.Headers == nil {
		copied.Headers = keg.Headers{}
	}
	maps.Copy(copied.Headers, i.at.headers()) // the last word: a stranger's own do not count
	i.event = nil
	i.dead = &keg.DeadLetter{Event: &copied, Reason: reason, Error: fmt.Sprintf("%s: %v", i.at, err), Died: time.Now().UTC()}
	return i
}

// read makes an event by decode, or a dead letter of plain, which is what came
// and no more.
func (i item) read(decode func() (*keg.Event, error), plain func() *keg.Event) item {
	e, err := safely(decode)
	if err != nil {
		return i.abandoned(plain(), undecodable(err), err)
	}
	switch hops := keg.Hops(e); {
	case hops == 0 && e.Headers != nil:
		e.Headers[keg.HopsHeader] = firstHop // the map is this event's alone
	default:
		keg.SetHops(e, hops+1)
	}
	i.event = e
	return i
}

var firstHop = []string{"1"}

// safely is decode, and an error where what came makes it panic.
func safely(decode func() (*keg.Event, error)) (e *keg.Event, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			e, err = nil, fmt.Errorf("%w: %v", errDecoder, fault)
		}
	}()
	return decode()
}

var errDecoder = errors.New("a fault of KEG's own decoder")

// undecodable is the reason of what could not be read.
func undecodable(err error) keg.Reason {
	var tooLarge *keg.TooLargeError
	switch {
	case errors.As(err, &tooLarge):
		return keg.ReasonTooLarge
	case errors.Is(err, errDecoder):
		return keg.ReasonInternal
	}
	return keg.ReasonUndecodable
}

// ofRecord is an item of a record, whose parts have size bytes.
func (i item) ofRecord(r *cloudevents.Record, size, limit int) item {
	return i.read(func() (*keg.Event, error) {
		if size > limit {
			return nil, &keg.TooLargeError{What: "record", Limit: int64(limit), Unit: "bytes"}
		}
		return cloudevents.FromKafka(r)
	}, func() *keg.Event { return cloudevents.RecordEvent(r) })
}

// ofMessage is an item of a message.
func (i item) ofMessage(m cloudevents.Message, limit int) item {
	return i.read(func() (*keg.Event, error) {
		if len(m.Payload) > limit {
			return nil, &keg.TooLargeError{What: "message", Limit: int64(limit), Unit: "bytes"}
		}
		return cloudevents.FromMQTT(m)
	}, func() *keg.Event { return cloudevents.MessageEvent(m) })
}
