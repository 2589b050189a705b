package sources

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
)

// Clashes reports every source that cannot run beside one before it, joined: two
// listeners of one address, and two MQTT clients of one name, of which a broker
// throws out the one that came first, for ever.
func Clashes(configs []keg.SourceConfig) error {
	var errs []error
	for i, c := range configs {
		if err := clash(c, configs[:i]); err != nil {
			errs = append(errs, fmt.Errorf("source %q: %w", c.Name, err))
		}
	}
	return errors.Join(errs...)
}

func clash(c keg.SourceConfig, before []keg.SourceConfig) error {
	for _, other := range before {
		switch mine := c.Settings.(type) {
		case *HTTPSettings:
			if theirs, ok := other.Settings.(*HTTPSettings); ok && mine.listen() == theirs.listen() && !strings.HasSuffix(mine.listen(), ":0") {
				return fmt.Errorf("another source listens on %s already", mine.listen())
			}
		case *MQTTSettings:
			theirs, ok := other.Settings.(*MQTTSettings)
			if !ok {
				continue
			}
			a, errA := clients.MQTTBroker(mine.Address, mine.TLS != nil)
			b, errB := clients.MQTTBroker(theirs.Address, theirs.TLS != nil)
			name, _ := mine.clientID()
			if its, _ := theirs.clientID(); errA == nil && errB == nil && a.Host == b.Host && name == its {
				return fmt.Errorf("another source connects to %s as the same client, %s: give one of them a client_id, or all topics to one", a.Host, name)
			}
		}
	}
	return nil
}
