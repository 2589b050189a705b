package clients

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/test/tlstest"
)

func writeFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLSSettingsAreReadFromTextAndFilesAlike(t *testing.T) {
	authority := tlstest.NewAuthority(t)
	cert, key := authority.Issue(t, "client")
	text := &TLS{CA: authority.PEM, Cert: cert, Key: keg.NewSecret(key), ServerName: "kafka"}
	file := &TLS{CA: writeFile(t, authority.PEM), Cert: writeFile(t, cert), Key: keg.NewSecret(writeFile(t, key)), ServerName: "kafka"}
	a, err := text.Read("tls")
	if err != nil {
		t.Fatal(err)
	}
	b, err := file.Read("tls")
	if err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Error("the same material by text and by file makes two clients")
	}
	config := a.Config()
	if config.RootCAs == nil || len(config.Certificates) != 1 || config.ServerName != "kafka" || config.InsecureSkipVerify || config.MinVersion != tls.VersionTLS12 {
		t.Errorf("config %+v", config)
	}
}

func TestTLSMaterialThatChangedMakesAnotherClient(t *testing.T) {
	path := writeFile(t, tlstest.NewAuthority(t).PEM)
	settings := &TLS{CA: path}
	before, _ := settings.Read("tls")
	if err := os.WriteFile(path, []byte(tlstest.NewAuthority(t).PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	if after, _ := settings.Read("tls"); before == after {
		t.Error("the same path with other content is taken for the same")
	}
}

func TestAbsentTLSIsNone(t *testing.T) {
	var none *TLS
	c, err := none.Read("tls")
	if err != nil || c.Config() != nil || len(none.Problems("tls")) != 0 {
		t.Errorf("%v, %v", c.Config(), err)
	}
	if c, _ := (&TLS{}).Read("tls"); c.Config() == nil || c.Config().RootCAs != nil {
		t.Error("tls: {} must mean TLS with the system's authorities")
	}
}

func TestTLSSettingsThatAreOfNoUse(t *testing.T) {
	authority := tlstest.NewAuthority(t)
	cert, key := authority.Issue(t, "client")
	_, otherKey := authority.Issue(t, "client")
	const secretPath = "/nowhere/s3cr3t"
	tests := map[string]struct {
		tls     *TLS
		path    string
		problem string
	}{
		"a file that is not there":    {&TLS{CA: "/nowhere/ca.pem"}, "tls.ca", "no such file"},
		"a directory":                 {&TLS{CA: t.TempDir()}, "tls.ca", "is a directory"},
		"a file of something else":    {&TLS{CA: writeFile(t, "hello")}, "tls.ca", "no certificate in PEM form"},
		"a file that never ends":      {&TLS{CA: writeFile(t, strings.Repeat("x", maxPEM+1))}, "tls.ca", "larger than"},
		"text cut short":              {&TLS{CA: "-----BEGIN CERTIFICATE-----\nabc"}, "tls.ca", "no certificate in PEM form"},
		"another certificate's key":   {&TLS{Cert: cert, Key: keg.NewSecret(otherKey)}, "tls.cert", "makes no pair with key"},
		"a key that is no key":        {&TLS{Cert: cert, Key: keg.NewSecret(cert)}, "tls.cert", "makes no pair with key"},
		"a key's file that is absent": {&TLS{Cert: cert, Key: keg.NewSecret(secretPath)}, "tls.key", "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.tls.Read("tls")
			var field *keg.FieldError
			if !errors.As(err, &field) || field.Path != test.path || !strings.Contains(field.Problem, test.problem) {
				t.Fatalf("error %v, want %s: %s", err, test.path, test.problem)
			}
			if strings.Contains(err.Error(), secretPath) || strings.Contains(err.Error(), "PRIVATE") && strings.Contains(err.Error(), key[40:60]) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestAClientCertificateNeedsItsKey(t *testing.T) {
	for name, test := range map[string]struct {
		tls  *TLS
		path string
	}{
		"cert alone": {&TLS{Cert: "x"}, "tls.key"},
		"key alone":  {&TLS{Key: keg.NewSecret("x")}, "tls.cert"},
	} {
		t.Run(name, func(t *testing.T) {
			var field *keg.FieldError
			if err := errors.Join(test.tls.Problems("tls")...); !errors.As(err, &field) || field.Path != test.path {
				t.Errorf("error %v, want one at %s", err, test.path)
			}
		})
	}
}
