package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// bothWays runs a test on a store that is open here and by a running node.
func bothWays(t *testing.T, test func(t *testing.T, open func(*Node) DeadLetters)) {
	t.Run("here", func(t *testing.T) {
		test(t, func(n *Node) DeadLetters { return &Kept{Store: n.Store, Republish: n.Republish} })
	})
	t.Run("by the node", func(t *testing.T) {
		test(t, func(n *Node) DeadLetters {
			address, _ := start(t, &Server{Node: n})
			c := NewClient(address)
			t.Cleanup(c.Close)
			return c
		})
	})
}

func silent(Progress) {}

func TestDeadLettersAreListedPageByPage(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(*Node) DeadLetters) {
		letters := open(&Node{Store: filled(t, 50)})
		var ids []string
		for after := ""; ; {
			page, err := letters.List(t.Context(), outbox.Filter{}, after, 20, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.DeadLetters {
				ids = append(ids, d.Named().ID)
				if d.DataBytes == 0 || strings.Contains(string(d.Event), `"data"`) {
					t.Errorf("%+v", d)
				}
			}
			if after = page.Next; after == "" {
				break
			}
		}
		for i, id := range ids {
			if id != fmt.Sprint(i) {
				t.Fatalf("they are %v", ids)
			}
		}
		if len(ids) != 50 {
			t.Errorf("%d were listed", len(ids))
		}
		none, err := letters.List(t.Context(), outbox.Filter{Route: "none"}, "", 20, false)
		if err != nil || len(none.DeadLetters) != 0 || none.Next != "" {
			t.Errorf("%+v, %v", none, err)
		}
	})
}

func TestAFilterReachesTheStoreAsItIs(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(*Node) DeadLetters) {
		store, at := filled(t, 0), time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		put := func(n int, q outbox.Queue, reason keg.Reason, when time.Time) {
			if err := store.Put(t.Context(), died(n, q, reason, when, `1`)); err != nil {
				t.Fatal(err)
			}
		}
		put(0, orders, keg.ReasonExhausted, at)
		put(1, outbox.Queue{Route: "orders & more?", Destination: "a/b"}, keg.ReasonExhausted, at)
		put(2, orders, keg.ReasonRefused, at)
		put(3, orders, keg.ReasonExhausted, at.Add(-time.Nanosecond))
		put(4, orders, keg.ReasonExhausted, at.Add(time.Minute))
		letters := open(&Node{Store: store})
		for want, f := range map[string]outbox.Filter{
			"0 1 2 3 4": {},
			"0 2 3 4":   {Route: "orders"},
			"1":         {Route: "orders & more?", Destination: "a/b"},
			"2":         {Reason: keg.ReasonRefused},
			"0 1 2 4":   {Since: at},
			"0 1 2 3":   {Until: at.Add(time.Minute)},
			"0":         {Route: "orders", Reason: keg.ReasonExhausted, Since: at, Until: at.Add(time.Nanosecond)},
		} {
			page, err := letters.List(t.Context(), f, "", MaxPage, false)
			var got []string
			for _, d := range page.DeadLetters {
				got = append(got, d.Named().ID)
			}
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("%+v: %v, want %s; %v", f, got, want, err)
			}
		}
	})
}

func TestOneIsShownWhole(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(*Node) DeadLetters) {
		store := filled(t, 1)
		d := store.dead["000001"]
		d.Event.Headers = keg.Headers{"x-team": {"blue"}}
		d.Event.Data, d.Event.DataContentType = []byte{0xFF, 0}, "application/octet-stream"
		letters := open(&Node{Store: store})
		got, err := letters.Show(t.Context(), "000001")
		if err != nil {
			t.Fatal(err)
		}
		if got.Reason != keg.ReasonExhausted || got.Status != 503 || got.Attempts != 3 || got.Error != "503 Service Unavailable" ||
			!got.Died.Equal(d.Died) || !got.Accepted.Equal(d.Accepted) || !got.First.IsZero() || got.DataBytes != 2 || got.Headers["x-team"][0] != "blue" {
			t.Errorf("%+v", got)
		}
		var event map[string]any
		if err := json.Unmarshal(got.Event, &event); err != nil || event["data_base64"] != "/wA=" || event["specversion"] != "1.0" {
			t.Errorf("%v, %v", event, err)
		}
		if _, err := letters.Show(t.Context(), "a/b?c"); !errors.Is(err, outbox.ErrNotFound) {
			t.Errorf("of another id: %v", err)
		}
	})
}

func TestWhatASourceCouldNotDecodeIsShownToo(t *testing.T) {
	for name, e := range map[string]*keg.Event{
		"nothing":          nil,
		"no names":         {Data: []byte("\xff")},
		"names of no kind": {Extensions: map[string]string{"\"\n": "x"}},
	} {
		if d := shown(&keg.DeadLetter{Event: e}, true); !json.Valid(d.Event) {
			t.Errorf("%s: %s", name, d.Event)
		}
	}
}

func TestAPageWithDataIsBounded(t *testing.T) {
	store := filled(t, 0)
	for i := range 30 {
		if err := store.Put(t.Context(), died(i, orders, keg.ReasonExhausted, time.Now(), `"`+strings.Repeat("x", 1<<20)+`"`)); err != nil {
			t.Fatal(err)
		}
	}
	letters := &Kept{Store: store}
	seen := 0
	for after := ""; ; {
		page, err := letters.List(t.Context(), outbox.Filter{}, after, MaxPage, true)
		if err != nil || len(page.DeadLetters) > partBytes>>20+1 {
			t.Fatal(len(page.DeadLetters), err)
		}
		seen += len(page.DeadLetters)
		if after = page.Next; after == "" {
			break
		}
	}
	if seen != 30 {
		t.Errorf("%d were seen", seen)
	}
	for part := range letters.parts(t.Context(), outbox.Filter{}, "", 0) {
		if len(part) > firstPart {
			t.Errorf("%d of 1 MiB each are held at once", len(part))
		}
	}
}

func TestSmallDeadLettersAreReadManyAtOnce(t *testing.T) {
	store := filled(t, 5000)
	store.reads = 0
	for range (&Kept{Store: store}).parts(t.Context(), outbox.Filter{}, "", 0) {
	}
	if store.reads > 20 {
		t.Errorf("%d reads", store.reads)
	}
}

func TestReplayAndDropDoWhatIsSelectedAndNothingElse(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(*Node) DeadLetters) {
		for name, test := range map[string]struct {
			selection         Selection
			total, done, left int64
		}{
			"all":               {Selection{}, 1203, 1203, 0},
			"the oldest":        {Selection{Limit: 700}, 700, 700, 0},
			"by reason":         {Selection{Filter: outbox.Filter{Reason: keg.ReasonRefused}}, 3, 3, 0},
			"by route":          {Selection{Filter: outbox.Filter{Route: "orders"}}, -1, 1200, 0},
			"one of each":       {Selection{IDs: []string{"000001", "001203"}}, 2, 2, 0},
			"one twice":         {Selection{IDs: []string{"000001", "000001"}}, 1, 1, 0},
			"one that is not":   {Selection{IDs: []string{"000001", "nosuch"}}, 2, 1, 1},
			"none that matches": {Selection{Filter: outbox.Filter{Route: "none"}}, -1, 0, 0},
		} {
			for _, verb := range []string{"replay", "drop"} {
				t.Run(name+" "+verb, func(t *testing.T) {
					store := filled(t, 1200)
					for i := range 3 {
						if err := store.Put(t.Context(), died(i, outbox.Queue{Route: "other", Destination: "d"}, keg.ReasonRefused, time.Now().Add(-time.Minute), `1`)); err != nil {
							t.Fatal(err)
						}
					}
					letters := open(&Node{Store: store})
					do := letters.Drop
					if verb == "replay" {
						do = letters.Replay
					}
					var told []Progress
					p, err := do(t.Context(), test.selection, func(p Progress) { told = append(told, p) })
					if err != nil || p.Total != test.total || p.Done != test.done || p.Left != test.left || p.Failed != 0 {
						t.Errorf("%+v, %v", p, err)
					}
					if n := store.count(); n != 1203-int(test.done) {
						t.Errorf("%d are left", n)
					}
					if verb == "replay" && (len(store.owed) != int(test.done) || !slices.IsSorted(store.owed)) {
						t.Errorf("%d are owed, oldest first: %t", len(store.owed), slices.IsSorted(store.owed))
					}
					if len(told) == 0 || told[0].Done != 0 || test.done > 1000 && len(told) < 3 {
						t.Errorf("%d were told", len(told))
					}
				})
			}
		}
	})
}

// A destination that is still away makes a replayed dead letter die again.
func TestWhatDiesAgainIsNotReplayedAgain(t *testing.T) {
	store := &stubborn{filled(t, 40)}
	p, err := (&Kept{Store: store}).Replay(t.Context(), Selection{}, silent)
	if err != nil || p.Done != 40 || store.count() != 40 {
		t.Errorf("%+v, %d are dead, %v", p, store.count(), err)
	}
}

type stubborn struct{ *memory }

func (s *stubborn) Replay(ctx context.Context, ids ...string) (int, error) {
	n, err := s.memory.Replay(ctx, ids...)
	for i := range n {
		err = errors.Join(err, s.Put(ctx, died(i, orders, keg.ReasonExhausted, time.Now(), `1`)))
	}
	return n, err
}

func TestWhatWasNeverOwedGoesThroughTheRoutesOnly(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(*Node) DeadLetters) {
		store := filled(t, 3)
		if err := store.Put(t.Context(), died(9, outbox.Queue{}, keg.ReasonUndecodable, time.Now().Add(-time.Minute), `1`)); err != nil {
			t.Fatal(err)
		}
		letters := open(&Node{Store: store, Republish: func(ctx context.Context, d *keg.DeadLetter) error {
			_, err := store.Drop(ctx, d.ID)
			return err
		}})
		if p, err := letters.Replay(t.Context(), Selection{}, silent); err != nil || p.Done != 3 || p.Left != 1 {
			t.Errorf("%+v, %v", p, err)
		}
		if p, err := letters.Replay(t.Context(), Selection{ThroughRoutes: true}, silent); err != nil || p.Done != 1 || store.count() != 0 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestThroughTheRoutesOneKeysOrderIsKeptAndAFaultIsToldAlone(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(*Node) DeadLetters) {
		store := filled(t, 0)
		at := time.Now().Add(-time.Hour)
		for i := range 600 {
			entry := died(i, orders, keg.ReasonExhausted, at, `1`)
			entry.Event.Subject = fmt.Sprint(i % 7)
			if err := store.Put(t.Context(), entry); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		byKey := map[string][]string{}
		busy := true
		letters := open(&Node{Store: store, Republish: func(ctx context.Context, d *keg.DeadLetter) error {
			mu.Lock()
			defer mu.Unlock()
			if d.Event.ID == "13" && busy {
				busy = false
				return fmt.Errorf("hub: %w", &keg.BusyError{Problem: "full", After: time.Millisecond})
			}
			if d.Event.ID == "100" {
				return &keg.UnroutedError{}
			}
			byKey[d.Event.Subject] = append(byKey[d.Event.Subject], d.ID)
			_, err := store.Drop(ctx, d.ID)
			return err
		}})
		p, err := letters.Replay(t.Context(), Selection{ThroughRoutes: true}, silent)
		if err != nil || p.Done != 599 || p.Failed != 1 || p.Failures[0] != (Failure{"000101", "no route takes this event"}) || store.count() != 1 {
			t.Errorf("%+v, %v", p, err)
		}
		for key, ids := range byKey {
			if !slices.IsSorted(ids) {
				t.Errorf("key %s went as %v", key, ids)
			}
		}
		p, err = letters.Replay(t.Context(), Selection{ThroughRoutes: true, IDs: []string{"000101", "nosuch"}}, silent)
		if err != nil || p.Total != 2 || p.Failed != 1 || p.Left != 1 {
			t.Errorf("by id: %+v, %v", p, err)
		}
	})
}

func TestAStoreThatFailsEndsAReplayAndSaysSo(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(*Node) DeadLetters) {
		store := filled(t, 1000)
		letters := open(&Node{Store: store, Republish: func(context.Context, *keg.DeadLetter) error {
			store.fail(&outbox.UnavailableError{Problem: "the disk is full"})
			return &keg.BusyError{Problem: "try later", After: time.Hour}
		}})
		p, err := letters.Replay(t.Context(), Selection{ThroughRoutes: true}, silent)
		if err == nil || !strings.Contains(err.Error(), "the disk is full") || p.Done != 0 || store.count() != 1000 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// slow is a store that takes its time for each replay, and tells of it.
type slow struct {
	*memory
	takes  time.Duration
	called chan struct{}
}

func (s *slow) Replay(ctx context.Context, ids ...string) (int, error) {
	select {
	case s.called <- struct{}{}:
	default:
	}
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return s.memory.Replay(ctx, ids...)
}

func newSlow(t *testing.T, n int, takes time.Duration) *slow {
	return &slow{filled(t, n), takes, make(chan struct{}, 1)}
}

func TestALongReplayOutlivesTheTimeoutsOfOneRequest(t *testing.T) {
	store := newSlow(t, 2000, 100*time.Millisecond)
	m := NewMetrics("1")
	address, _ := start(t, &Server{Node: &Node{Store: store}, Metrics: m, readTimeout: 200 * time.Millisecond, writeTimeout: 200 * time.Millisecond})
	c := NewClient(address)
	defer c.Close()
	p, err := c.Replay(t.Context(), Selection{}, silent)
	if err != nil || p.Done != 2000 {
		t.Errorf("%+v, %v", p, err)
	}
	if got := testutil.ToFloat64(m.replayed); got != 2000 {
		t.Errorf("%v were counted", got)
	}
}

func TestOneReplayAtATime(t *testing.T) {
	store := newSlow(t, 8, time.Hour)
	address, _ := start(t, &Server{Node: &Node{Store: store}})
	c := NewClient(address)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Replay(ctx, Selection{}, silent)
		ended <- err
	}()
	<-store.called
	if _, err := c.Drop(t.Context(), Selection{}, silent); err == nil || !strings.Contains(err.Error(), "under way already") {
		t.Error(err)
	}
	cancel() // whoever asked goes away
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for { // and the node notices
		if _, err := c.Drop(t.Context(), Selection{}, silent); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if len(store.owed) != 0 || store.count() != 0 {
		t.Errorf("%d were replayed, %d are left", len(store.owed), store.count())
	}
}

func TestANodeThatStopsEndsAReplayAndSaysHowFarItWas(t *testing.T) {
	store := newSlow(t, 100, time.Hour)
	address, stop := start(t, &Server{Node: &Node{Store: store}})
	c := NewClient(address)
	defer c.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Replay(t.Context(), Selection{}, silent)
		ended <- err
	}()
	<-store.called
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the end took %v", took)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the node stops") {
		t.Error(err)
	}
}

func TestAnAnswerThatBreaksOffIsNoYes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for _, body := range []string{`{"state":"running","total":10,"done":3}` + "\n", "", `{"state":"ru`} {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n%s", body)
			_ = conn.Close()
		}
	}()
	c := NewClient(l.Addr().String())
	defer c.Close()
	for range 3 {
		if p, err := c.Replay(t.Context(), Selection{}, silent); err == nil || !strings.Contains(err.Error(), "stopped answering") {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

func TestMomentsAreReadAsTimesAndAsAges(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"1h": now.Add(-time.Hour), "0s": now, "2026-01-31T13:00:00+01:00": now, "1h30m": now.Add(-90 * time.Minute),
	} {
		if got, err := ParseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"-1h", "yesterday", "2026-01-31", "1", ""} {
		if got, err := ParseTime(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
