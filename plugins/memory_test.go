package plugins_test

import (
	"context"
	"slices"
	"sync"

	"github.com/kong/keg"
	"github.com/kong/keg/sinks"
)

// memoryTypes is the one type of destination that these tests have.
var memoryTypes = []keg.DestinationType{{
	Name: "memory", Doc: "A destination for tests.", New: func() keg.Settings { return &memorySettings{} },
	Format: keg.FormatBinary, Formats: []keg.Format{keg.FormatBinary},
}}

// kafkaType is the real one, whose destinations are one sink in memory: "kafka".
func kafkaType() keg.DestinationType {
	types := sinks.Types()
	return types[slices.IndexFunc(types, func(dt keg.DestinationType) bool { return dt.Name == "kafka" })]
}

type memorySettings struct {
	Address  string     `keg:"address,required" doc:"What the test knows the sink by."`
	Topic    string     `keg:"topic" enum:"orders,audit" doc:"Which topic."`
	Password keg.Secret `keg:"password" doc:"What it is opened with."`
	Silent   bool       `keg:"silent" doc:"Whether it does not acknowledge."`
}

func (s *memorySettings) Label() string      { return "memory://" + s.Address }
func (s *memorySettings) Validate() error    { return nil }
func (s *memorySettings) Acknowledges() bool { return !s.Silent }

type sendFunc = func(ctx context.Context, e *keg.Event) error

// memory opens sinks that keep what they are sent, unless a test tells them
// otherwise.
type memory struct {
	mu   sync.Mutex
	do   map[string]sendFunc
	sent map[string][]*keg.Event
	open int
	with map[string][]string // the password of each event that was sent
	// destinations are all that were ever opened.
	destinations []*keg.Destination
	forget       bool // what was sent
}

func newMemory() *memory {
	return &memory{do: map[string]sendFunc{}, sent: map[string][]*keg.Event{}, with: map[string][]string{}}
}

func (m *memory) Open(d *keg.Destination) (keg.Sink, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
	m.destinations = append(m.destinations, d)
	if _, ok := d.Settings.(*sinks.Kafka); ok {
		return &memorySink{m, &memorySettings{Address: "kafka"}}, nil
	}
	return &memorySink{m, d.Settings.(*memorySettings)}, nil
}

func (m *memory) on(address string, do sendFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.do[address] = do
}

func (m *memory) got(address string) []*keg.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent[address]
}

// passwords are those that the events at an address were sent with.
func (m *memory) passwords(address string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.with[address]
}

func (m *memory) opened() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open
}

type memorySink struct {
	*memory
	settings *memorySettings
}

func (s *memorySink) Send(ctx context.Context, e *keg.Event) error {
	address := s.settings.Address
	s.mu.Lock()
	do := s.do[address]
	s.mu.Unlock()
	if do != nil {
		if err := do(ctx, e); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forget {
		return nil
	}
	s.sent[address] = append(s.sent[address], e)
	s.with[address] = append(s.with[address], s.settings.Password.Reveal())
	return nil
}

func (s *memorySink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	return nil
}
