package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestInstancesFollowSingleChanges: a change of any plugin entity renews the
// instances of all, each at its next event, since Kong reads all of them anew;
// a change of what they are applied to renews none.
func TestInstancesFollowSingleChanges(t *testing.T) {
	peer := newPeer(t)
	g := start(t, Options{Config: []byte("_format_version: '3.0'"), AdminWritable: true, Workers: 1, PluginServers: probeServer(peer, "access")})
	script := &recording{}
	for range 20 {
		script.commands = append(script.commands, exiting(200))
	}
	peer.play(script, anything)
	g.does(t, "PUT", "/routes/a", `{"paths":["/a"]}`, 200)
	g.does(t, "PUT", "/routes/b", `{"paths":["/b"]}`, 200)
	a := g.does(t, "POST", "/routes/a/plugins", `{"name":"go-probe","config":{"mode":"a"},"instance_name":"of-a"}`, 201)
	g.does(t, "POST", "/routes/b/plugins", `{"name":"go-probe","config":{"mode":"b"}}`, 201)
	heard := 0
	hears := func(path, want string) {
		t.Helper()
		get(t, "http://"+g.proxy+path, 200)
		peer.awaitHeard(heard + len(strings.Fields(want)))
		told := strings.Fields(peer.told())[heard:]
		if heard += len(told); strings.Join(told, " ") != want {
			t.Fatalf("GET %s: the plugin heard %v, want %s", path, told, want)
		}
	}
	hears("/a", "start access")
	hears("/a", "access")
	hears("/b", "start access")

	g.does(t, "PATCH", "/routes/a", `{"strip_path":false,"paths":["/a","/c"]}`, 200)
	g.does(t, "POST", "/services", `{"name":"s","host":"h"}`, 201)
	g.does(t, "POST", "/consumers", `{"username":"ann"}`, 201)
	hears("/c", "access")
	hears("/b", "access")

	g.does(t, "PATCH", "/plugins/of-a", `{"config":{"note":"new"}}`, 200)
	hears("/a", "start close access")
	hears("/b", "start close access")
	hears("/a", "access")
	last := peer.configs[len(peer.configs)-2]
	for _, part := range []string{`"mode":"a"`, `"note":"new"`, `"plugin_instance_name":"of-a"`, `"__plugin_id":"` + a["id"].(string) + `"`} {
		if !strings.Contains(last, part) {
			t.Errorf("the new instance got %s, without %s", last, part)
		}
	}

	g.does(t, "DELETE", "/plugins/of-a", "", 204)
	hears("/b", "start close access") // of-a's own is never closed, as in Kong
	get(t, "http://"+g.proxy+"/a", http.StatusServiceUnavailable)
	g.does(t, "PATCH", "/services/s", `{"port":81}`, 200)
	hears("/b", "access")
	g.does(t, "DELETE", "/routes/b", "", 204)
	get(t, "http://"+g.proxy+"/b", http.StatusNotFound)
}

// TestChangesWhileRequestsRun changes one route while others are asked for, and
// lists while entities come and go.
func TestChangesWhileRequestsRun(t *testing.T) {
	g := writable(t)
	for i := range 5 {
		g.does(t, "PUT", fmt.Sprintf("/routes/stays-%d", i), fmt.Sprintf(`{"paths":["/stays/%d"]}`, i), 200)
		g.does(t, "POST", fmt.Sprintf("/routes/stays-%d/plugins", i), fmt.Sprintf(`{"name":"request-termination","config":{"status_code":%d}}`, 210+i), 201)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	do := func(method, url, body string) int {
		request, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	var requests, writers sync.WaitGroup
	var over atomic.Bool
	for i := range 5 {
		requests.Go(func() {
			for n := 0; !over.Load() && !t.Failed(); n++ {
				if status := do("GET", fmt.Sprintf("http://%s/stays/%d", g.proxy, i), ""); status != 210+i {
					t.Errorf("request %d of route %d: %d", n, i, status)
				}
			}
		})
	}
	requests.Go(func() {
		for !over.Load() {
			for _, path := range []string{"/plugins?size=1000", "/routes/stays-1/plugins", "/tags", "/config"} {
				if status := do("GET", "http://"+g.admin+path, ""); status != 200 {
					t.Errorf("%s: %d", path, status)
				}
			}
		}
	})
	for w := range 3 {
		writers.Go(func() {
			for n := range 40 {
				for _, step := range []struct {
					method, path, body string
					status             int
				}{
					{"PUT", "/services/w%d", `{"host":"h","tags":["t"]}`, 200},
					{"PUT", "/services/w%d/routes/w%d", `{"paths":["/w"]}`, 200},
					{"POST", "/routes/w%d/plugins", `{"name":"request-termination"}`, 201},
					{"PATCH", "/routes/w%d", `{"paths":["/w","/x"]}`, 200},
					{"DELETE", "/services/w%d", ``, 400},
					{"DELETE", "/routes/w%d", ``, 204},
					{"DELETE", "/services/w%d", ``, 204},
				} {
					path := strings.ReplaceAll(step.path, "%d", fmt.Sprint(w))
					if status := do(step.method, "http://"+g.admin+path, step.body); status != step.status {
						t.Errorf("round %d: %s %s: %d, want %d", n, step.method, path, status, step.status)
					}
				}
			}
		})
	}
	writers.Wait()
	over.Store(true)
	requests.Wait()
	if c := g.config(); len(c.Services) != 0 || len(c.Routes) != 5 || len(c.Plugins) != 5 {
		t.Errorf("left are %d services, %d routes, %d plugins", len(c.Services), len(c.Routes), len(c.Plugins))
	}
}
