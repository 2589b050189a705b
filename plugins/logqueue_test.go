package plugins

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

// stuck is a queue whose publishing waits until it is let go, or told to end.
type stuck struct {
	*logQueue[int]
	begun  chan []int
	let    chan struct{}
	mu     sync.Mutex
	got    []int
	lostBy error // why what was under way when the queue was cut was lost
}

func newStuck(room *LogRoom) *stuck {
	s := &stuck{begun: make(chan []int, 1000), let: make(chan struct{})}
	s.logQueue = newLogQueue(room, func(ctx context.Context, entries []int) {
		s.begun <- entries
		select {
		case <-s.let:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.got = append(s.got, entries...)
		case <-ctx.Done():
			s.lostBy = ctx.Err()
		}
	})
	return s
}

func (s *stuck) published() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("waited for %s", what)
	}
}

func TestLogQueueKeepsItsOrder(t *testing.T) {
	room := NewLogRoom(nil)
	q := newStuck(room)
	for i := range 1000 {
		if err := q.put(i, 1); err != nil {
			t.Fatal(err)
		}
	}
	close(q.let)
	await(t, "the end", q.close())
	got := q.published()
	if len(got) != 1000 || !slices.IsSorted(got) {
		t.Errorf("%d entries: %v", len(got), got)
	}
	close(q.begun)
	for batch := range q.begun {
		if len(batch) > logBatch {
			t.Errorf("%d entries at once", len(batch))
		}
	}
	if s := room.Stats(); s != (LogRoomStats{}) {
		t.Errorf("%+v", s)
	}
}

func TestLogRoomIsBounded(t *testing.T) {
	log := &logtest.Log{}
	room := NewLogRoom(log.Logger())
	room.maxCount, room.maxSize = 100, 1000
	defer room.cut()
	put := func(q *stuck, size int64, times int) (taken int) {
		for i := range times {
			err := q.put(i, size)
			if _, busy := errors.AsType[*keg.BusyError](err); err != nil && !busy {
				t.Fatal(err)
			}
			if err == nil {
				taken++
			}
		}
		return taken
	}
	dead, live := newStuck(room), newStuck(room)
	if n := put(dead, 1, 1000); n != 50 {
		t.Errorf("one that cannot publish took %d of 100", n)
	}
	if n := put(live, 1, 1000); n != 25 {
		t.Errorf("the next found room for %d", n)
	}
	if n := put(newStuck(room), 2000, 2); n != 0 {
		t.Errorf("%d entries over the bound were let in where others wait", n)
	}
	close(dead.let)
	close(live.let)
	await(t, "the end", dead.close())
	await(t, "the end", live.close())
	if s := room.Stats(); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
	bytes := newStuck(room)
	if n := put(bytes, 200, 1000); n != 3 { // there were 600 free before the third
		t.Errorf("took %d of 200 bytes each, of 1,000", n)
	}
	alone := newStuck(NewLogRoom(nil))
	if n := put(alone, 1<<40, 2); n != 1 {
		t.Errorf("%d of two huge ones were let in", n)
	}
	close(bytes.let)
	close(alone.let)
	await(t, "the end", bytes.close())
	await(t, "the end", alone.close())
}

// What was sent is either published or refused, whatever is going on.
func TestLogQueueCountsRight(t *testing.T) {
	room := NewLogRoom(nil)
	room.maxCount = 32
	var published, refused atomic.Int64
	q := newLogQueue(room, func(_ context.Context, entries []int) { published.Add(int64(len(entries))) })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 2000 {
				if q.put(i, 10) != nil {
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	await(t, "the end", q.close())
	if published.Load()+refused.Load() != 16_000 || published.Load() == 0 {
		t.Errorf("published %d, refused %d", published.Load(), refused.Load())
	}
	if q.put(1, 1) == nil {
		t.Error("a closed queue took one")
	}
	if s := room.Stats(); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestLogRoomCloses(t *testing.T) {
	room := NewLogRoom(nil)
	if err := NewLogRoom(nil).Close(t.Context()); err != nil {
		t.Errorf("an empty one: %v", err)
	}
	q := newStuck(room)
	_ = q.put(1, 1)
	<-q.begun
	_ = q.put(2, 1)
	closed := make(chan error, 1)
	go func() { closed <- room.Close(t.Context()) }()
	for deadline := time.Now().Add(10 * time.Second); q.put(3, 1) == nil && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(q.let)
	if err := <-closed; err != nil || !slices.Equal(q.published()[:2], []int{1, 2}) {
		t.Errorf("%v, %v", err, q.published())
	}

	room = NewLogRoom(nil)
	q = newStuck(room)
	_ = q.put(1, 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := room.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("time ran out, and Close said %v", err)
	}
	await(t, "what was cut", q.close())
	if q.lostBy == nil {
		t.Error("publishing was not told to end")
	}
}

func TestLogQueueSurvivesAFault(t *testing.T) {
	log := &logtest.Log{}
	room := NewLogRoom(log.Logger())
	var got []string
	q := newLogQueue(room, func(_ context.Context, entries []string) {
		if len(got) == 0 {
			got = []string{"fault"}
			panic("a bug")
		}
		got = append(got, entries...)
	})
	_ = q.put("first", 1)
	log.Await(t, "a bug", 1)
	_ = q.put("second", 1)
	await(t, "the end", q.close())
	if s := room.Stats(); !slices.Equal(got, []string{"fault", "second"}) || s.Dropped != 1 || s.Entries != 0 {
		t.Errorf("%v, %+v", got, s)
	}
}

func TestDropsAreToldOfNowAndThen(t *testing.T) {
	log := &logtest.Log{}
	room := NewLogRoom(slog.New(slog.NewTextHandler(log, nil)))
	for range 1000 {
		room.drop("event-log", func() string { return "kong-1" }, errLogRoom)
	}
	if lines := log.Lines("was dropped"); len(lines) != 10 || room.Stats().Dropped != 1000 {
		t.Errorf("%d lines of %d dropped", len(lines), room.Stats().Dropped)
	}
}
