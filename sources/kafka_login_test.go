package sources

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/kong/keg"
	"github.com/kong/keg/clients"
	"github.com/kong/keg/test/logtest"
	"github.com/kong/keg/test/tlstest"
)

func TestAKafkaSourceLogsInOverTLS(t *testing.T) {
	authority := tlstest.NewAuthority(t)
	const password = "s3cr3t"
	server := startCluster(t, kfake.EnableSASL(), kfake.TLS(authority.Server(t)), kfake.Superuser("SCRAM-SHA-256", "keg", password), kfake.Superuser("PLAIN", "writer", "writer"))
	credentials, err := (&clients.TLS{CA: authority.PEM}).Read("tls")
	if err != nil {
		t.Fatal(err)
	}
	writer := joinCluster(t, server.address, kgo.DialTLSConfig(credentials.Config()), kgo.SASL(plain.Auth{User: "writer", Pass: "writer"}.AsMechanism()))
	writer.create(t, "a", 1)
	writer.events(t, "a", 1, 0, 3)
	settings := server.settings("a")
	settings.TLS = &clients.TLS{CA: authority.PEM}
	login := func(password string) *clients.SASL {
		return &clients.SASL{Mechanism: "SCRAM-SHA-256", Username: "keg", Password: keg.NewSecret(password)}
	}
	settings.SASL = login("wrong-" + password)
	var s store
	var log logtest.Log
	stop := background(t, openTest(t, config("kafka", settings), Options{Log: log.Logger()}), &s)
	log.Await(t, "level=WARN", 1)
	stop()
	if s.count() != 0 || len(log.Lines(password)) > 0 {
		t.Errorf("%d events; the log:\n%s", s.count(), &log)
	}
	right := *settings
	right.SASL = login(password)
	stop = background(t, openTest(t, config("kafka", &right), Options{}), &s)
	s.awaitAll(t, 3)
	stop()
}

// The files that settings name are read when a source is opened, not when it
// first connects.
func TestATLSFileThatIsNotThereIsToldOfAtOnce(t *testing.T) {
	for _, settings := range []keg.SourceSettings{
		&KafkaSettings{Address: []string{"b:1"}, Topics: []string{"a"}, Group: "g", ClientID: "c", Start: "oldest", MaxInFlight: 1, TLS: &clients.TLS{CA: "/nowhere"}},
		&MQTTSettings{Address: "b:1", Topics: []string{"a"}, ClientID: "c", QoS: 1, MaxInFlight: 1, TLS: &clients.TLS{CA: "/nowhere"}},
	} {
		began := time.Now()
		c := keg.SourceConfig{Type: "kafka", Settings: settings}
		if _, mqtt := settings.(*MQTTSettings); mqtt {
			c.Type = "mqtt"
		}
		if source, err := Open(c, Options{}); err == nil || source != nil || time.Since(began) > 5*time.Second {
			t.Errorf("%T: %v", settings, err)
		}
	}
	if _, err := Open(keg.SourceConfig{Type: "amqp", Settings: &HTTPSettings{}}, Options{}); err == nil {
		t.Error("a type that is not there was opened")
	}
}
