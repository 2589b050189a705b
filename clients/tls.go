package clients

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/kong/keg"
)

// maxPEM bounds a file of certificates.
const maxPEM = 1 << 20

// TLS says how a connection is secured. Each of CA, Cert and Key is PEM text or
// the path of a file that holds it.
type TLS struct {
	CA                 string     `keg:"ca" doc:"The certificates that the server's must come from, as PEM text or a file's path. Without it, the system's."`
	Cert               string     `keg:"cert" doc:"The client's certificate, as PEM text or a file's path."`
	Key                keg.Secret `keg:"key" doc:"The client certificate's private key, as PEM text or a file's path."`
	ServerName         string     `keg:"server_name" doc:"The name that the server's certificate must bear. Without it, the host of the address."`
	InsecureSkipVerify bool       `keg:"insecure_skip_verify" doc:"Take any certificate. For tests only: it gives up what TLS protects from."`
}

// Problems reports what is wrong with the settings at path, which is their key
// in the settings around them. They may be nil.
func (t *TLS) Problems(path string) []error {
	switch {
	case t == nil:
		return nil
	case t.Cert != "" && t.Key.IsZero():
		return []error{&keg.FieldError{Path: path + ".key", Problem: "is required beside cert"}}
	case t.Cert == "" && !t.Key.IsZero():
		return []error{&keg.FieldError{Path: path + ".cert", Problem: "is required beside key"}}
	}
	return nil
}

// Credentials are TLS settings with their files read: comparable, so that they
// can be part of a client's key. The zero value is no TLS.
type Credentials struct {
	on, insecure         bool
	ca, cert, serverName string
	key                  keg.Secret
}

// Read reads the files that the settings name, and proves that what they hold
// is of use. Its errors are [*keg.FieldError]s below path. Nil settings are no
// TLS.
func (t *TLS) Read(path string) (Credentials, error) {
	if t == nil {
		return Credentials{}, nil
	}
	var errs []error
	pem := func(field, text string, secret bool) string {
		content, err := readPEM(text, secret)
		if err != nil {
			errs = append(errs, &keg.FieldError{Path: path + "." + field, Problem: err.Error()})
		}
		return content
	}
	c := Credentials{
		on:         true,
		insecure:   t.InsecureSkipVerify,
		serverName: t.ServerName,
		ca:         pem("ca", t.CA, false),
		cert:       pem("cert", t.Cert, false),
		key:        keg.NewSecret(pem("key", t.Key.Reveal(), true)),
	}
	if len(errs) > 0 {
		return Credentials{}, errors.Join(errs...)
	}
	if c.ca != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(c.ca)) {
		errs = append(errs, &keg.FieldError{Path: path + ".ca", Problem: "holds no certificate in PEM form"})
	}
	if c.cert != "" {
		// crypto/tls names what does not fit, never what it holds.
		if _, err := tls.X509KeyPair([]byte(c.cert), []byte(c.key.Reveal())); err != nil {
			errs = append(errs, &keg.FieldError{Path: path + ".cert", Problem: "makes no pair with key: " + err.Error()})
		}
	}
	return c, errors.Join(errs...)
}

// With is c where TLS is on, else TLS with nothing of its own: what an address
// such as ssl://host asks for that has no settings beside it.
func (c Credentials) With() Credentials {
	c.on = true
	return c
}

// Config returns the settings for a connection, or nil where there is no TLS.
func (c Credentials) Config() *tls.Config {
	if !c.on {
		return nil
	}
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         c.serverName,
		InsecureSkipVerify: c.insecure,
	}
	if c.ca != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM([]byte(c.ca))
	}
	if c.cert != "" {
		if pair, err := tls.X509KeyPair([]byte(c.cert), []byte(c.key.Reveal())); err == nil {
			config.Certificates = []tls.Certificate{pair}
		}
	}
	return config
}

// readPEM returns text itself where it is PEM, else the content of the file
// whose path it is. A secret's path is not told: it may be the secret, misplaced.
func readPEM(text string, secret bool) (string, error) {
	if text == "" || strings.Contains(text, "-----BEGIN ") {
		return text, nil
	}
	fail := func(err error) (string, error) {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		if secret {
			return "", fmt.Errorf("is neither PEM text nor a file that can be read: %w", err)
		}
		return "", fmt.Errorf("is neither PEM text nor a file that can be read: %q: %w", text, err)
	}
	file, err := os.Open(text)
	if err != nil {
		return fail(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxPEM+1))
	if err != nil {
		return fail(err)
	}
	if len(content) > maxPEM {
		return fail(fmt.Errorf("the file is larger than %d bytes", maxPEM))
	}
	return string(content), nil
}
