package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kong/keg/test/ports"
)

// The test binary is a fake of keg where this variable names one of its vices.
const fakeVice = "CRASH_TEST_FAKE"

func TestMain(m *testing.M) {
	if vice := os.Getenv(fakeVice); vice != "" {
		if err := serveFake(vice, os.Args); err != nil {
			println("fake:", err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fake takes events as keg's HTTP source does and delivers each before it says
// so, but for its vice.
type fake struct {
	vice     string
	receiver string
	count    atomic.Int64
	last     sync.Mutex // guards the file
	store    *fakeStore // under "stores, and delivers later"
}

func serveFake(vice string, args []string) error {
	signal.Ignore(syscall.SIGHUP)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	argument := func(flag string) string { return args[slices.Index(args, flag)+1] }
	routes, err := os.ReadFile(argument("--routes"))
	if err != nil {
		return err
	}
	f := &fake{vice: vice, receiver: regexp.MustCompile(`http://[^/"]+`).FindString(string(routes))}
	if last, err := os.ReadFile("last"); err == nil && vice == "delivers again at each start" {
		e, err := decode(last)
		if err != nil {
			return err
		}
		f.deliver(e, last)
	}
	if vice == storesAndDelivers {
		if f.store, err = openFakeStore(f); err != nil {
			return err
		}
	}
	server := http.Server{Addr: strings.TrimPrefix(argument("--event-sources"), "http:"), Handler: f}
	go func() {
		<-terminated
		if vice == "ends badly" {
			os.Exit(3)
		}
		_ = server.Shutdown(context.Background())
	}()
	l, err := ports.Listen(server.Addr)
	if err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	time.Sleep(50 * time.Millisecond) // the last answers
	if f.store != nil {
		f.store.close()
	}
	return nil
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	e, err := decode(text)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	every := f.count.Add(1)%4 == 0
	switch {
	case f.store != nil:
		f.store.put(e, text)
	case f.vice == "loses some" && every:
	case f.vice == "acknowledges before it is safe":
		time.AfterFunc(30*time.Millisecond, func() { f.deliver(e, text) })
	case f.vice == "gives up the order":
		time.AfterFunc(time.Duration(rand.IntN(30))*time.Millisecond, func() { f.deliver(e, text) })
	case f.vice == "changes a byte" && every:
		f.deliver(e, bytes.Replace(text, []byte(`"pad":"`), []byte(`"pad":"!`), 1))
	case f.vice == "changes an attribute" && every:
		wrong := e
		wrong.N++
		f.deliver(wrong, text)
	case f.vice == "delivers thrice":
		f.deliver(e, text)
		f.deliver(e, text)
		f.deliver(e, text)
	case f.vice == "forgets a destination" && every && e.Kind == fanned:
		f.send(e, text, 1)
	case f.vice == "promises another event" && every:
		f.deliver(e, text)
		e.N++
	case f.vice == "delivers again at each start":
		f.deliver(e, text)
		f.last.Lock()
		defer f.last.Unlock()
		_ = os.WriteFile("last.new", text, 0o600)
		_ = os.Rename("last.new", "last")
	default:
		f.deliver(e, text)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": e.id(), "routes": []string{kinds[e.Kind].eventType}})
}

func (f *fake) deliver(e event, text []byte) {
	for _, d := range kinds[e.Kind].owed {
		f.send(e, text, d)
	}
}

// send tries until the destination has taken it.
func (f *fake) send(e event, text []byte, destination int) {
	for !f.try(e, text, destination) {
		time.Sleep(5 * time.Millisecond)
	}
}

func (f *fake) try(e event, text []byte, destination int) (taken bool) {
	ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, f.receiver+destinations[destination], bytes.NewReader(text))
	for name, value := range attributes(e) {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode < 300
}

func TestTheHarnessFindsWhatANodeDoesWrong(t *testing.T) {
	var all sync.WaitGroup
	for vice, want := range map[string]string{
		"none":                           "",
		storesAndDelivers:                "",
		"loses some":                     "was acknowledged and never arrived",
		"acknowledges before it is safe": "was acknowledged and never arrived",
		"gives up the order":             "was not yet taken",
		"changes a byte":                 "has another checksum",
		"changes an attribute":           "has Ce-Id",
		"delivers thrice":                "came again for no reason",
		"forgets a destination":          "/fanned-b",
		"promises another event":         "was answered 200",
		"delivers again at each start":   "came again after an orderly stop",
		"ends badly":                     "ended badly",
	} {
		all.Go(func() { // not t.Parallel: a run mostly waits
			var said bytes.Buffer
			res, err := run(t.Context(), config{
				keg: os.Args[0], env: []string{fakeVice + "=" + vice}, kills: 5, seed: 7, senders: 12, rate: 150,
				least: 300, patience: 5 * time.Second, progress: &said, line: "\n",
			})
			found := strings.Join(res.faults, "\n")
			switch {
			case vice == "ends badly": // after which the harness cannot go on
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: it says %v", vice, err)
				}
			case err != nil:
				t.Errorf("%s: %v\n%s", vice, err, &said)
			case want == "" && res.faultCount > 0 || !strings.Contains(found, want):
				t.Errorf("%s: it finds %d faults, want %q:\n%s", vice, res.faultCount, want, found)
			case res.kills != 5 || res.Acknowledged < 300:
				t.Errorf("%s: %d kills, %+v", vice, res.kills, res.figures)
			}
		})
	}
	all.Wait()
}
