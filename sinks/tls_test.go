package sinks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
)

// testAuthority signs certificates for 127.0.0.1.
type testAuthority struct {
	pem  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *testAuthority {
	t.Helper()
	a := &testAuthority{}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// issue returns a certificate and its key, as PEM.
func (a *testAuthority) issue(t testing.TB, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, k.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// server is the configuration of a server that the authority vouches for.
func (a *testAuthority) server(t testing.TB) *tls.Config {
	t.Helper()
	cert, key := a.issue(t, "localhost")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

func writeFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLSSettingsAreReadFromTextAndFilesAlike(t *testing.T) {
	authority := newAuthority(t)
	cert, key := authority.issue(t, "client")
	text := &TLS{CA: authority.pem, Cert: cert, Key: keg.NewSecret(key), ServerName: "kafka"}
	file := &TLS{CA: writeFile(t, authority.pem), Cert: writeFile(t, cert), Key: keg.NewSecret(writeFile(t, key)), ServerName: "kafka"}
	a, err := text.read("tls")
	if err != nil {
		t.Fatal(err)
	}
	b, err := file.read("tls")
	if err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Error("the same material by text and by file makes two clients")
	}
	config := a.config()
	if config.RootCAs == nil || len(config.Certificates) != 1 || config.ServerName != "kafka" || config.InsecureSkipVerify || config.MinVersion != tls.VersionTLS12 {
		t.Errorf("config %+v", config)
	}
}

func TestTLSMaterialThatChangedMakesAnotherClient(t *testing.T) {
	path := writeFile(t, newAuthority(t).pem)
	settings := &TLS{CA: path}
	before, _ := settings.read("tls")
	if err := os.WriteFile(path, []byte(newAuthority(t).pem), 0o600); err != nil {
		t.Fatal(err)
	}
	if after, _ := settings.read("tls"); before == after {
		t.Error("the same path with other content is taken for the same")
	}
}

func TestAbsentTLSIsNone(t *testing.T) {
	var none *TLS
	c, err := none.read("tls")
	if err != nil || c.config() != nil || len(none.problems("tls")) != 0 {
		t.Errorf("%v, %v", c.config(), err)
	}
	if c, _ := (&TLS{}).read("tls"); c.config() == nil || c.config().RootCAs != nil {
		t.Error("tls: {} must mean TLS with the system's authorities")
	}
}

func TestTLSSettingsThatAreOfNoUse(t *testing.T) {
	authority := newAuthority(t)
	cert, key := authority.issue(t, "client")
	_, otherKey := authority.issue(t, "client")
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
			_, err := test.tls.read("tls")
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
			if err := errors.Join(test.tls.problems("tls")...); !errors.As(err, &field) || field.Path != test.path {
				t.Errorf("error %v, want one at %s", err, test.path)
			}
		})
	}
}
