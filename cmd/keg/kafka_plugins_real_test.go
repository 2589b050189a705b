//go:build real

package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/kong/keg/cmd/keg/tail"
	"github.com/kong/keg/test/ports"
)

// kafkaPlugins runs `keg dev` with kafka-upstream in both modes and kafka-log,
// whose memory is small, in front of the real broker.
func kafkaPlugins(t *testing.T, topic string) (proxy, status string, p *process) {
	t.Helper()
	host, port, err := net.SplitHostPort(service(t, "KEG_TEST_KAFKA"))
	do(t, err)
	free, err := ports.Free()
	do(t, err)
	file := filepath.Join(t.TempDir(), "kong.yml")
	cluster := fmt.Sprintf("bootstrap_servers: [{host: %s, port: %s}], topic: %s", host, port, topic)
	do(t, os.WriteFile(file, fmt.Appendf(nil, `
_format_version: "3.0"
routes:
- name: sync
  paths: [/sync]
  plugins: [{name: kafka-upstream, config: {%[1]s, producer_async: false, producer_request_acks: -1, forward_uri: true}}]
- name: async
  paths: [/async]
  plugins: [{name: kafka-upstream, config: {%[1]s, forward_uri: true}}]
- name: logged
  paths: [/logged]
  plugins:
  - {name: kafka-log, config: {%[1]s, producer_async_buffering_limits_messages_in_memory: 200}}
  - {name: request-termination, config: {status_code: 204}}
`, cluster), 0o600))
	p = start(t, nil, "dev", "--kong-config", file, "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off",
		"--kafka-listen", "off", "--mqtt-listen", "off", "--webhook-listen", "off", "--status-listen", free)
	line := p.until("proxy")
	p.until("ready")
	return strings.Fields(line)[1], free, p
}

var posted = regexp.MustCompile(`/(?:sync|async|logged)/id-([0-9a-f-]{36})`)

// recordsOf are the ids of the requests whose records are in a topic.
func recordsOf(t *testing.T, topic string) map[string]int {
	t.Helper()
	ids := map[string]int{}
	do(t, tail.Run(t.Context(), "kafka://"+service(t, "KEG_TEST_KAFKA")+"/"+topic, tail.Options{
		Last: 1_000_000, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Emit: func(i tail.Item) {
			if found := posted.FindSubmatch(i.Event.Data); found != nil {
				ids[string(found[1])]++
			}
		},
	}))
	return ids
}

// posting posts to a path, an id of its own each time.
type posting struct {
	mu       sync.Mutex
	safe     []string
	statuses map[int]int
}

func (p *posting) post(t *testing.T, url string) {
	id := uuid.NewString()
	status, answer, retryAfter := trySend(&http.Client{Timeout: 30 * time.Second}, url+"/id-"+id, `{"n":1}`)
	if status == http.StatusServiceUnavailable && retryAfter == "" {
		t.Errorf("503 without Retry-After: %s", answer)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if status == 0 { // a connection that the stand-in, as nginx, closed after so many requests
		return
	}
	p.statuses[status]++
	if status < 300 {
		p.safe = append(p.safe, id)
	}
}

func (p *posting) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.safe)
}

// backgroundLost is what the node says that it has lost.
func backgroundLost(t *testing.T, status string) int {
	t.Helper()
	response, err := http.Get("http://" + status + "/metrics")
	do(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "keg_background_lost_total "); ok {
			n, err := strconv.ParseFloat(value, 64)
			do(t, err)
			return int(n)
		}
	}
	t.Fatal("no keg_background_lost_total")
	return 0
}

// TestKafkaPluginsOutliveAnOutage: what kafka-upstream answered 200 is in the
// topic, in both modes, since there was room for what came while the broker was
// away; of kafka-log, for which there was not, each loss is counted and told of.
func TestKafkaPluginsOutliveAnOutage(t *testing.T) {
	topic := uniqueTopic("plugins")
	makeTopic(t, topic, 3, nil)
	proxy, status, p := kafkaPlugins(t, topic)
	load := map[string]*posting{}
	ended := make(chan struct{})
	var senders sync.WaitGroup
	for _, path := range []string{"sync", "async", "logged"} {
		load[path] = &posting{statuses: map[int]int{}}
		for range 2 {
			senders.Go(func() {
				for {
					select {
					case <-ended:
						return
					case <-time.After(10 * time.Millisecond):
						load[path].post(t, "http://"+proxy+"/"+path)
					}
				}
			})
		}
	}
	stop := sync.OnceFunc(func() { close(ended); senders.Wait() })
	t.Cleanup(stop)
	more := func(path string, n int) {
		t.Helper()
		until := load[path].count() + n
		within(t, longPatience, "more requests of "+path+" are answered well", func() bool { return load[path].count() >= until })
	}
	for path := range load {
		more(path, 50)
	}
	control(t, "stop", "kafka")
	more("async", 500)
	more("logged", 500)
	control(t, "start", "kafka")
	for path := range load {
		more(path, 100)
	}
	stop()

	safe := append(load["sync"].safe, load["async"].safe...)
	arrive(t, safe, func() map[string]int { return recordsOf(t, topic) })
	if failed := load["sync"].statuses[http.StatusBadGateway]; failed == 0 || len(load["sync"].statuses) != 2 {
		t.Errorf("kafka-upstream that waits answered %v", load["sync"].statuses)
	}
	if len(load["async"].statuses) != 1 {
		t.Errorf("kafka-upstream that does not wait answered %v", load["async"].statuses)
	}
	missing := len(absent(load["logged"].safe, recordsOf(t, topic)))
	lost := backgroundLost(t, status)
	t.Logf("sync %v, async %v, logged %v: %d entries missing, %d counted", load["sync"].statuses, load["async"].statuses, load["logged"].statuses, missing, lost)
	if missing == 0 || lost < missing {
		t.Errorf("%d entries are missing, and %d are counted as lost", missing, lost)
	}
	if !strings.Contains(p.said(), "a record was lost") || !strings.Contains(p.said(), "lost_so_far") {
		t.Error("no loss is told of")
	}

	// What still waits when the node ends is lost, and told of.
	control(t, "stop", "kafka")
	last := &posting{statuses: map[int]int{}}
	for range 5 {
		last.post(t, "http://"+proxy+"/async")
	}
	if len(last.safe) != 5 {
		t.Errorf("answered %v", last.statuses)
	}
	before := strings.Count(p.said(), "not published in time") + strings.Count(p.said(), "a record was lost")
	p.stop()
	if after := strings.Count(p.said(), "not published in time") + strings.Count(p.said(), "a record was lost"); after == before {
		t.Errorf("a node that ended with records in memory did not say so:\n%s", p.said())
	}
	control(t, "start", "kafka")
}
