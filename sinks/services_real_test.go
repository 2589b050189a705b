//go:build real

package sinks

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
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

func TestRealServicesShareOneAuthority(t *testing.T) {
	pem, err := os.ReadFile(setting(t, "KEG_TEST_TLS_CA"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for _, name := range []string{"KEG_TEST_KAFKA_SASL", "KEG_TEST_MQTT_TLS"} {
		c, err := tls.Dial("tcp", setting(t, name), &tls.Config{RootCAs: pool})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = c.Close()
	}
}
