package embedded_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/outbox/outboxtest"
	"github.com/kong/keg/test/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheStoreIsOne(t *testing.T) {
	outboxtest.Run(t, func(t *testing.T) outboxtest.Harness {
		dir := t.TempDir()
		return outboxtest.Harness{Open: func(t *testing.T) outbox.Store { return open(t, dir, embedded.Options{}) }}
	})
}

// A store that is killed is opened again on what had been synced, with nothing
// more.
func TestTheStoreIsOneAlsoWhenItIsKilled(t *testing.T) {
	outboxtest.Run(t, func(t *testing.T) outboxtest.Harness {
		disk := vfs.NewCrashableMem()
		return outboxtest.Harness{
			Open: func(t *testing.T) outbox.Store { return open(t, "store", embedded.Options{}.On(disk)) },
			Kill: func(t *testing.T, s outbox.Store) {
				crashed := disk.CrashClone(vfs.CrashCloneCfg{})
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				disk = crashed
			},
		}
	})
}

func open(t testing.TB, dir string, o embedded.Options) *embedded.Store {
	t.Helper()
	if o.Log == nil {
		o.Log = new(logtest.Log).Logger()
	}
	s, err := embedded.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
