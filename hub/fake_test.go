package hub

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
	"github.com/kong/keg/test/logtest"
)

// fake is a destination type whose sinks do what a test tells them.
type fake struct {
	Address string `keg:"address,required" doc:"What the test knows the sink by."`
	Silent  bool   `keg:"silent" doc:"Whether it does not acknowledge."`
}

func (f *fake) Label() string      { return "fake://" + f.Address }
func (f *fake) Validate() error    { return nil }
func (f *fake) Acknowledges() bool { return !f.Silent }

var fakeType = keg.DestinationType{
	Name: "fake", Doc: "A destination for tests.", New: func() keg.Settings { return &fake{} },
	Format: keg.FormatBinary, Formats: []keg.Format{keg.FormatBinary},
}

type sendFunc = func(ctx context.Context, e *keg.Event) error

// fakes opens sinks and notes what they are sent.
type fakes struct {
	mu      sync.Mutex
	send    map[string]sendFunc // by address; without one a sink takes everything
	refused map[string]error    // by address: what Open fails with
	sent    map[string][]*keg.Event
	open    map[string]int
	opened  []string
}

func newFakes() *fakes {
	return &fakes{send: map[string]sendFunc{}, refused: map[string]error{}, sent: map[string][]*keg.Event{}, open: map[string]int{}}
}

func (f *fakes) Open(d *keg.Destination) (keg.Sink, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	address := d.Settings.(*fake).Address
	if err := f.refused[address]; err != nil {
		return nil, err
	}
	f.open[address]++
	f.opened = append(f.opened, address)
	return &fakeSink{fakes: f, address: address}, nil
}

// on tells the sinks of an address what to do.
func (f *fakes) on(address string, send sendFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.send[address] = send
}

func (f *fakes) got(address string) []*keg.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent[address]
}

func (f *fakes) opens(address string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[address]
}

type fakeSink struct {
	*fakes
	address string
	mu      sync.Mutex
	closed  bool
	sending int
}

func (s *fakeSink) Send(ctx context.Context, e *keg.Event) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		panic("sent after close")
	}
	s.sending++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.sending--
		s.mu.Unlock()
	}()
	s.fakes.mu.Lock()
	send := s.send[s.address]
	s.fakes.mu.Unlock()
	if send != nil {
		if err := send(ctx, e); err != nil {
			return err
		}
	}
	s.fakes.mu.Lock()
	defer s.fakes.mu.Unlock()
	s.sent[s.address] = append(s.sent[s.address], e)
	return nil
}

func (s *fakeSink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.sending > 0 {
		panic("closed twice, or while sending")
	}
	s.closed = true
	s.fakes.mu.Lock()
	defer s.fakes.mu.Unlock()
	s.open[s.address]--
	return nil
}

// What sinks do in tests.
var errDown = errors.New("connection refused")

func fails(err error) sendFunc {
	return func(context.Context, *keg.Event) error { return err }
}

func hangs(ctx context.Context, _ *keg.Event) error {
	<-ctx.Done()
	return ctx.Err()
}

func panics(context.Context, *keg.Event) error { panic("a bug\nover two lines") }

// inTurn fails with each of errs once, then takes everything.
func inTurn(errs ...error) sendFunc {
	var mu sync.Mutex
	return func(context.Context, *keg.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if len(errs) == 0 {
			return nil
		}
		err := errs[0]
		errs = errs[1:]
		return err
	}
}

// parse compiles a table of fakes. A tab in text stands for two spaces.
func parse(t testing.TB, text string) *router.Table {
	t.Helper()
	table, err := router.Parse("routes.yaml", []byte(strings.ReplaceAll(text, "\t", "  ")), router.Options{Types: []keg.DestinationType{fakeType}})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// all is a table of one route that sends everything to the addresses.
func all(t testing.TB, addresses ...string) *router.Table {
	t.Helper()
	text := "routes:\n- name: all\n\tmatch: {}\n\tdestinations:\n"
	for _, address := range addresses {
		text += "\t- {type: fake, address: " + address + "}\n"
	}
	return parse(t, text)
}

func event(id string) *keg.Event {
	return &keg.Event{ID: id, Source: "shop", Type: "order.created", Data: []byte(`{"n":1}`)}
}

// kit is a hub over fakes, with what it logged and observed.
type kit struct {
	*Hub
	*fakes
	log    logtest.Log
	mu     sync.Mutex
	traces []Trace
}

func newKit(t testing.TB, o Options) *kit {
	t.Helper()
	k := &kit{fakes: newFakes()}
	o.Sinks = k.fakes
	o.Log = k.log.Logger()
	if o.Observe == nil {
		o.Observe = func(t Trace) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.traces = append(k.traces, t)
		}
	}
	k.Hub = New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := k.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		if s := k.Stats(); s.InFlight != 0 || s.InFlightBytes != 0 {
			t.Errorf("room not given back: %+v", s)
		}
		for address, n := range k.open {
			if n != 0 {
				t.Errorf("%d sinks of %s are still open", n, address)
			}
		}
		if len(k.lanes) != 0 {
			t.Errorf("%d lanes are left", len(k.lanes))
		}
	})
	return k
}

func (k *kit) observed() []Trace {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.traces
}

func (k *kit) port(t testing.TB, o PortOptions) *Port {
	t.Helper()
	if o.Name == "" {
		o.Name = "test"
	}
	p, err := k.Hub.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
