package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg/kong/gateway/pluginserver"
	"github.com/kong/keg/test/logtest"
)

func anything(string, []byte, []byte) error { return nil }

// reconfigure posts a configuration to the Admin API.
func (s *stage) reconfigure(config string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]string{"config": s.config(config)})
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.Post("http://"+s.gateway.admin+"/config", "application/json", strings.NewReader(string(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusCreated {
		s.t.Fatalf("POST /config: %s\n%s", response.Status, text)
	}
}

// sameConfigs compares what instances were started with; __seq__ counts what a
// process has loaded, so that it differs.
func (s *stage) sameConfigs(r *recording) {
	s.t.Helper()
	read := func(text string) map[string]any {
		var config map[string]any
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			s.t.Fatal(err)
		}
		if seq, ok := config["__seq__"].(float64); !ok || seq < 1 {
			s.t.Errorf("__seq__ is %v", config["__seq__"])
		}
		delete(config, "__seq__")
		return config
	}
	var want, got []map[string]any
	for _, c := range r.commands {
		if start := c.call.GetCmdStartInstance(); start != nil {
			want = append(want, read(string(start.Config)))
		}
	}
	for _, text := range s.peer.configs {
		got = append(got, read(text))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("configs: recorded -, sent +:\n%s", diff)
	}
}

func TestInstancesFollowTheConfiguration(t *testing.T) {
	s := newStage(t, probeConfig("n1"), Options{})
	changed := readRecording(t, "30")
	s.peer.play(changed, s.same)
	heard := 0
	get := func(uri string, commands int) {
		t.Helper()
		if response := s.send(s.curl("GET", uri, nil)); response.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s", uri, response.Status)
		}
		heard += commands
		s.peer.awaitHeard(heard)
	}
	get("/hello/a", 4) // start access response log
	get("/noop", 4)
	s.reconfigure(probeConfig("n2"))
	get("/hello/b", 5) // start close access response log
	get("/hello/b", 3)
	get("/noop", 5)
	s.wait()
	s.sameCommands(changed)
	s.sameConfigs(changed)
	var recorded []int64
	for _, c := range changed.commands {
		recorded = append(recorded, c.call.Sequence)
	}
	if diff := cmp.Diff(recorded, s.peer.sequence); diff != "" {
		t.Errorf("sequence: recorded -, sent +:\n%s", diff)
	}

	unchanged := readRecording(t, "31")
	s.peer.play(unchanged, s.same)
	s.reconfigure(probeConfig("n2"))
	s.send(s.curl("GET", "/hello/b", nil))
	s.wait()
	s.sameCommands(unchanged)
	s.sameConfigs(unchanged)

	later := readRecording(t, "32")
	s.peer.play(later, s.same)
	s.reconfigure(probeConfig("n3"))
	s.send(s.curl("GET", "/hello/c", nil))
	s.peer.awaitHeard(5)
	s.send(s.curl("GET", "/accept", nil))
	s.wait()
	s.sameCommands(later)
	s.sameConfigs(later)
}

func TestFirstRequestsAtOnceStartOneInstance(t *testing.T) {
	s := newStage(t, probeConfig("n1"), Options{})
	r := readRecording(t, "29")
	s.peer.play(r, func(method string, recorded, heard []byte) error {
		if method == "kong.log.serialize" || method == "kong.service.response.get_raw_body" {
			return nil // which of the four it is, differs
		}
		return s.same(method, recorded, heard)
	})
	var requests sync.WaitGroup
	for i := range 4 {
		request := s.curl("GET", fmt.Sprintf("/hello/par%d", i+1), nil)
		requests.Go(func() {
			if response := s.send(request); response.StatusCode != http.StatusOK {
				t.Errorf("%s", response.Status)
			}
		})
	}
	requests.Wait()
	s.wait()
	if starts := strings.Count(s.peer.told(), "start"); starts != 1 {
		t.Errorf("%d instances were started: %s", starts, s.peer.told())
	}
	s.sameConfigs(r)
}

func TestEachWorkerStartsItsOwnInstance(t *testing.T) {
	peer := newPeer(t)
	g := start(t, Options{Workers: 3, Config: []byte(serviceless), PluginServers: probeServer(peer, "access")})
	script := &recording{}
	for range 6 {
		script.commands = append(script.commands, exiting(200))
	}
	peer.play(script, anything)
	for range 6 { // each on a connection of its own, dealt to the workers in turn
		get(t, "http://"+g.proxy+"/events", http.StatusOK)
	}
	if starts := strings.Count(peer.told(), "start"); starts != 3 {
		t.Errorf("%d starts by 3 workers: %s", starts, peer.told())
	}
	if slices.Compact(slices.Sorted(slices.Values(peer.sequence)))[0] != 2 {
		t.Errorf("each worker counts its calls from 2: %v", peer.sequence)
	}
}

func TestClientThatGoesAwayDoesNotStopTheEvent(t *testing.T) {
	s := newStage(t, probeConfig("n1"), Options{})
	r := readRecording(t, "28")
	s.peer.play(r, s.same)
	conn := raw(t, s.gateway.proxy, s.curl("GET", "/sleep3", nil))
	s.peer.awaitHeard(1)
	conn.Close()
	s.wait()
	s.sameCommands(r)
}

func TestPluginThatDiesInAnEvent(t *testing.T) {
	for _, number := range []string{"34", "36", "38"} {
		r := readRecording(t, number)
		t.Run(r.name, func(t *testing.T) {
			var log logtest.Log
			s := newStage(t, probeConfig("n1"), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			died := slices.IndexFunc(r.commands, func(c *command) bool { return c.died })
			s.peer.play(&recording{commands: readRecording(t, "02").commands}, anything)
			s.send(s.curl("GET", "/hello/a", nil))
			s.wait()

			// The process ends while the event runs: Kong finds no socket to start
			// the instance again at, and the client gets 500.
			hold := &command{call: r.commands[died].call}
			s.peer.play(&recording{commands: []*command{hold}}, anything)
			answer := make(chan *http.Response, 1)
			go func() { answer <- s.send(s.curl("GET", "/die", nil)) }()
			s.peer.awaitHeard(2) // start access
			revive := s.peer.die()
			want := readRecording(t, "24").reply // the recorded 500
			s.check(want, <-answer)

			// Every instance of the plugin was forgotten, that of /hello too. (The
			// log phase of the failed request has failed as well by then.)
			log.Await(t, "plugin failed", 2)
			revive()
			s.peer.play(readRecording(t, "02"), anything)
			s.send(s.curl("GET", "/hello/b", nil))
			s.wait()
			if told := s.peer.told(); told != "start access response log" {
				t.Errorf("after it came back: %s", told)
			}
		})
	}
}

// TestPluginThatDiesBetweenRequests plays 37 to its end: the new process does not
// know the instance and closes the connection; Kong starts it and runs the event
// again, and no client notices.
func TestPluginThatDiesBetweenRequests(t *testing.T) {
	s := newStage(t, probeConfig("n1"), Options{})
	r := readRecording(t, "37")
	before, after := &recording{commands: r.commands[:3]}, &recording{commands: r.commands[3:]}
	first := s.run(before, s.curl("GET", "/hello/a", nil))
	s.sameCommands(before)
	s.peer.die()()
	s.peer.play(after, s.same)
	heard := 0
	for i, uri := range []string{"/hello/b1", "/hello/b2", "/hello/b3", "/hello/b4", "/hello/b5", "/hello/b6", "/hello/c"} {
		response := s.send(s.curl("GET", uri, nil))
		if response.StatusCode != http.StatusOK || response.Header.Get("X-Probe") != first.Header.Get("X-Probe") {
			t.Errorf("%s: %s %v", uri, response.Status, response.Header)
		}
		if heard += 3; i == 0 {
			heard += 2 // the event that was lost, and the start
		}
		s.peer.awaitHeard(heard)
	}
	s.wait()
	if told, want := s.peer.told(), "access start access response log"+strings.Repeat(" access response log", 6); told != want {
		t.Errorf("Kong's commands: %s, recorded: %s", told, want)
	}
	s.sameConfigs(after)
}

// TestPluginThatDiesAgainAndAgain is 35, but for the ten seconds that Kong waits
// after some failures: each time one client hears 500, and the next one is served.
func TestPluginThatDiesAgainAndAgain(t *testing.T) {
	var log logtest.Log
	s := newStage(t, probeConfig("n1"), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	r := readRecording(t, "35")
	hello := &recording{commands: r.commands[2:6]} // start access response log
	for round := range 3 {
		hold := &command{call: r.commands[1].call}
		s.peer.play(&recording{commands: []*command{hold}}, anything)
		answer := make(chan *http.Response, 1)
		go func() { answer <- s.send(s.curl("GET", "/panic", nil)) }()
		s.peer.awaitHeard(2) // start access
		revive := s.peer.die()
		s.check(readRecording(t, "24").reply, <-answer)
		log.Await(t, "plugin failed", 2*(round+1)) // its log phase, too
		revive()
		if response := s.run(hello, s.curl("GET", "/hello/b", nil)); response.StatusCode != http.StatusOK {
			t.Errorf("after it came back: %s", response.Status)
		}
		s.sameCommands(hello)
	}
}

func TestPluginThatClosesEachTimeIsGivenUp(t *testing.T) {
	peer := newPeer(t)
	g := start(t, Options{Config: []byte(serviceless), PluginServers: probeServer(peer, "access")})
	script := &recording{}
	for range pluginserver.MaxRuns {
		script.commands = append(script.commands, &command{call: exiting(200).call, died: true})
	}
	peer.play(script, anything)
	get(t, "http://"+g.proxy+"/events", http.StatusInternalServerError)
	if runs := strings.Count(peer.told(), "access"); runs != pluginserver.MaxRuns {
		t.Errorf("the event ran %d times", runs)
	}
}

func TestPluginThatTakesTooLong(t *testing.T) {
	s := newStage(t, probeConfig("n1"), Options{PluginTimeouts: pluginserver.Timeouts{Connect: time.Second, Send: time.Second, Read: 100 * time.Millisecond}})
	r := readRecording(t, "40")
	s.check(r.reply, s.run(r, s.curl("GET", "/sleep70", nil)))
	s.sameCommands(r)
}

func TestInstanceThatDoesNotStart(t *testing.T) {
	s := newStage(t, globalConfig, Options{})
	r := readRecording(t, "45")
	probe := readRecording(t, "44") // rewrite access log
	s.peer.refuse = "go-schema"
	s.peer.play(probe, anything)
	s.check(r.reply, s.send(s.curl("GET", "/schema", nil)))
	s.wait()
	s.peer.configs = s.peer.configs[1:] // go-probe's
	s.sameConfigs(r)
	if told := s.peer.told(); told != "start rewrite access start log" {
		t.Errorf("Kong's commands: %s", told)
	}
}
