//go:build real

package sources

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

// setting is a variable of test/services/run. Without it there is nothing to
// test against, and that is a failure.
func setting(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set; run the tests by test/services/run", name)
	}
	return value
}

// service tells the services' control script to act.
func service(t testing.TB, action, name string) {
	t.Helper()
	if out, err := exec.Command(setting(t, "KEG_TEST_SERVICES"), action, name).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", action, name, err, out)
	}
}

// realCluster is the running Kafka, and settings to read topics in a group of
// this test's own.
func realCluster(t *testing.T) (*cluster, func(topics ...string) *KafkaSettings) {
	c := joinCluster(t, setting(t, "KEG_TEST_KAFKA"))
	group := fmt.Sprintf("%s-%d", strings.ToLower(t.Name()), rand.Int64())
	return c, func(topics ...string) *KafkaSettings {
		s := c.settings(topics...)
		s.Group = strings.ReplaceAll(group, "/", "-")
		s.MaxInFlight = 50
		return s
	}
}

func uniqueTopic(name string) string { return fmt.Sprintf("%s-%d", name, rand.Int64()) }

// load produces the ids from first on until stop is closed, and keeps what the
// broker has acknowledged.
type load struct {
	mu     sync.Mutex
	next   int
	acked  map[string]bool
	closed chan struct{}
	done   sync.WaitGroup
}

func startLoad(c *cluster, topic string, partitions, first int, every time.Duration) *load {
	l := &load{next: first, acked: make(map[string]bool), closed: make(chan struct{})}
	l.done.Go(func() {
		for {
			select {
			case <-l.closed:
				return
			case <-time.After(every):
			}
			id := fmt.Sprint(l.next)
			l.next++
			l.done.Add(1)
			c.client.Produce(context.Background(), event(topic, int32((l.next-1)%partitions), id), func(_ *kgo.Record, err error) {
				defer l.done.Done()
				if err == nil {
					l.mu.Lock()
					defer l.mu.Unlock()
					l.acked[id] = true
				}
			})
		}
	})
	return l
}

func (l *load) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for id := range l.acked {
		ids = append(ids, id)
	}
	return ids
}

// stop ends the load when all that was produced has its answer.
func (l *load) stop() []string {
	close(l.closed)
	l.done.Wait()
	return l.ids()
}

func has(t *testing.T, s *store, want []string) {
	t.Helper()
	missing := func() (first string, n int) {
		seen := make(map[string]bool)
		for _, id := range s.ids() {
			seen[id] = true
		}
		for _, id := range want {
			if !seen[id] {
				n++
				first = id
			}
		}
		return first, n
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		first, n := missing()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d events are missing, %s is one", n, len(want), first)
		}
	}
}

func TestRealKafkaStoppedAndStartedUnderLoadLosesNothing(t *testing.T) {
	c, settings := realCluster(t)
	for name, fault := range map[string]func(){
		"stopped": func() { service(t, "stop", "kafka"); time.Sleep(15 * time.Second); service(t, "start", "kafka") },
		"killed":  func() { service(t, "kill", "kafka"); service(t, "start", "kafka") },
		"paused":  func() { service(t, "pause", "kafka"); time.Sleep(12 * time.Second); service(t, "resume", "kafka") },
	} {
		t.Run(name, func(t *testing.T) {
			topic := uniqueTopic(name)
			c.create(t, topic, 3)
			var s store
			var log logtest.Log
			stop := background(t, openTest(t, config("kafka", settings(topic)), Options{Log: log.Logger()}), &s)
			l := startLoad(c, topic, 3, 0, time.Millisecond)
			s.await(t, 500)
			fault()
			back := time.Now()
			s.await(t, s.count()+500)
			t.Logf("500 events %v after the fault", time.Since(back).Round(time.Millisecond))
			acked := l.stop()
			has(t, &s, acked)
			stop()
			ordered(t, s.ids(), 3)
			t.Logf("%d acknowledged, %d read, %d warnings", len(acked), len(s.ids()), len(log.Lines("level=WARN")))
		})
	}
}

func TestRealTopicDeletedAndMadeAnewIsReadOn(t *testing.T) {
	c, settings := realCluster(t)
	topic, other := uniqueTopic("anew"), uniqueTopic("other")
	c.create(t, topic, 2)
	c.create(t, other, 1)
	var s store
	var log logtest.Log
	stop := background(t, openTest(t, config("kafka", settings(topic, other)), Options{Log: log.Logger()}), &s)
	c.events(t, topic, 2, 0, 500)
	s.awaitAll(t, 500)
	c.remove(t, topic)
	c.events(t, other, 1, 500, 510) // the other topic goes on
	s.awaitAll(t, 510)
	c.create(t, topic, 2)
	joinCluster(t, c.address).events(t, topic, 2, 510, 600)
	s.awaitAll(t, 600)
	stop()
	t.Logf("%d warnings, %d errors", len(log.Lines("level=WARN")), len(log.Lines("level=ERROR")))
}

// TestRealMemberProcess is no test but a member in a process of its own, for the
// one below: it writes the id of each event that it says yes to.
func TestRealMemberProcess(t *testing.T) {
	topic := os.Getenv("KEG_TEST_MEMBER_TOPIC")
	if topic == "" {
		return
	}
	settings := joinCluster(t, setting(t, "KEG_TEST_KAFKA")).settings(topic)
	settings.Group, settings.MaxInFlight = os.Getenv("KEG_TEST_MEMBER_GROUP"), 20
	s := &store{judge: func(e *keg.Event) error {
		_, err := fmt.Println("id", e.ID)
		return err
	}}
	_ = openTest(t, config("kafka", settings), Options{}).Run(context.Background(), s)
}

// Members are killed between the intake's yes and the commit, again and again,
// while others join.
func TestRealMembersThatAreKilledLoseNothing(t *testing.T) {
	c, settings := realCluster(t)
	topic := uniqueTopic("killed")
	const partitions = 4
	c.create(t, topic, partitions)
	var mu sync.Mutex
	times := make(map[string]int)
	var members sync.WaitGroup
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRealMemberProcess$", "-test.timeout=10m")
		cmd.Env = append(os.Environ(), "KEG_TEST_MEMBER_TOPIC="+topic, "KEG_TEST_MEMBER_GROUP="+settings(topic).Group)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		members.Go(func() {
			var ids []string
			for lines := bufio.NewScanner(out); lines.Scan(); {
				id, ok := strings.CutPrefix(lines.Text(), "id ")
				if _, err := strconv.Atoi(id); !ok || err != nil {
					continue // a line that the kill cut short is no yes
				}
				ids = append(ids, id)
				mu.Lock()
				times[id]++
				mu.Unlock()
			}
			ordered(t, ids, partitions)
			_ = cmd.Wait()
		})
		return cmd
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(times)
	}
	l := startLoad(c, topic, partitions, 0, 2*time.Millisecond)
	running := []*exec.Cmd{start(), start()}
	for round := range 4 {
		at := count()
		await(t, "progress", func() bool { return count() > at+200 })
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		victim := running[round%2]
		_ = victim.Process.Kill()
		running[round%2] = start()
	}
	acked := l.stop()
	missing := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range acked {
			if times[id] == 0 {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(2 * time.Minute); missing() > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d of %d events are missing", missing(), len(acked))
			break
		}
	}
	for _, cmd := range running {
		_ = cmd.Process.Kill()
	}
	members.Wait()
	doubled := 0
	for _, n := range times {
		doubled += n - 1
	}
	t.Logf("%d acknowledged, %d came again after four kills", len(acked), doubled)
}
