package sinks

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// everyKey is a table with every key that a destination may have, each with
// another value than its default.
const everyKey = `
defaults:
  kafka: {sasl: {mechanism: SCRAM-SHA-512, username: u, password: "${PASSWORD}"}}
routes:
- name: every-key
  match: {}
  destinations:
  - type: kafka
    name: the-cluster
    address: ["a:9092", "b:9092"]
    timeout: 1s
    retry: {max_attempts: 5, backoff: 2s, max_backoff: 3s, max_age: 4h}
    format: structured
    headers: {x-team: blue}
    topic: "orders-{tenant}"
    key: "{subject}"
    acks: leader
    compression: zstd
    idempotent: false
    client_id: shop
    max_message_bytes: 2048
    max_batch_records: 100
    ack_timeout: 3s
    tls: {ca: /ca.pem, cert: /cert.pem, key: {file: /key.pem}, server_name: kafka.internal, insecure_skip_verify: true}
    sasl: {mechanism: OAUTHBEARER, token_url: "https://idp/token", client_id: c, client_secret: "${PASSWORD}", scopes: [kafka, "read write"], extensions: {logicalCluster: lkc-1}}
  - {type: kafka, address: "a:9092,b:9092", topic: inherits}
  - type: http
    address: "https://audit.internal/events?token=${PASSWORD}"
    method: PUT
    headers: {x-team: blue}
    auth: {bearer: {file: /token}}
    signing: {secret: ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI0"]}
    tls: {server_name: audit}
    allow_private: false
    format: raw
  - {type: http, address: "http://h", auth: {username: u, password: "${PASSWORD}"}}
  - type: mqtt
    address: mqtts://broker
    topic: "shop/{type}"
    qos: 2
    retain: true
    client_id: keg-1
    username: u
    password: "${PASSWORD}"
    tls: {ca: /ca.pem}
    format: raw
`

// TestEveryKeyOfARouteFileReachesItsSetting holds the settings' tags to what a
// route file may say, from its text to the struct that a sink is opened with.
func TestEveryKeyOfARouteFileReachesItsSetting(t *testing.T) {
	const hidden = "s3cr3t"
	table, err := router.Parse("routes.yaml", []byte(everyKey), router.Options{
		Types:     Types(),
		LookupEnv: func(string) (string, bool) { return hidden, true },
		ReadFile:  func(path string) ([]byte, error) { return []byte(path + " content\n"), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	secret := keg.NewSecret
	retry := keg.Retry{MaxAttempts: 3, Backoff: 200 * time.Millisecond, MaxBackoff: time.Minute, MaxAge: 24 * time.Hour}
	want := []*keg.Destination{
		{
			Type: "kafka", Name: "the-cluster", Timeout: time.Second, Format: keg.FormatStructured,
			Retry:   keg.Retry{MaxAttempts: 5, Backoff: 2 * time.Second, MaxBackoff: 3 * time.Second, MaxAge: 4 * time.Hour},
			Headers: map[string]keg.Secret{"x-team": secret("blue")},
			Settings: &Kafka{
				Address: []string{"a:9092", "b:9092"}, Topic: "orders-{tenant}", Key: "{subject}", Acks: "leader", Compression: "zstd",
				ClientID: "shop", MaxMessageBytes: 2048, MaxBatchRecords: 100, AckTimeout: 3 * time.Second,
				TLS: &TLS{CA: "/ca.pem", Cert: "/cert.pem", Key: secret("/key.pem content"), ServerName: "kafka.internal", InsecureSkipVerify: true},
				SASL: &SASL{
					Mechanism: "OAUTHBEARER", Username: "u", Password: secret(hidden),
					TokenURL: "https://idp/token", ClientID: "c", ClientSecret: secret(hidden), Scopes: []string{"kafka", "read write"}, Extensions: map[string]string{"logicalCluster": "lkc-1"},
				},
			},
		},
		{
			Type: "kafka", Name: "kafka://a:9092,b:9092/inherits", Timeout: 10 * time.Second, Retry: retry, Format: keg.FormatBinary,
			Settings: &Kafka{
				Address: []string{"a:9092", "b:9092"}, Topic: "inherits", Key: "{partitionkey}", Acks: "all", Compression: "none", Idempotent: true,
				ClientID: "keg", MaxMessageBytes: 1 << 20, AckTimeout: 10 * time.Second,
				SASL: &SASL{Mechanism: "SCRAM-SHA-512", Username: "u", Password: secret(hidden)},
			},
		},
		{
			Type: "http", Name: "https://audit.internal/events", Timeout: 10 * time.Second, Retry: retry, Format: keg.FormatRaw,
			Headers: map[string]keg.Secret{"x-team": secret("blue")},
			Settings: &HTTP{
				Address: "https://audit.internal/events?token=" + hidden, Method: "PUT", Auth: &HTTPAuth{Bearer: secret("/token content")},
				Signing: &HTTPSigning{Secret: []keg.Secret{secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"), secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI0")}},
				TLS:     &TLS{ServerName: "audit"},
			},
		},
		{
			Type: "http", Name: "http://h", Timeout: 10 * time.Second, Retry: retry, Format: keg.FormatBinary,
			Settings: &HTTP{Address: "http://h", Method: "POST", Auth: &HTTPAuth{Username: "u", Password: secret(hidden)}, AllowPrivate: true},
		},
		{
			Type: "mqtt", Name: "mqtts://broker:8883/shop/{type}", Timeout: 10 * time.Second, Retry: retry, Format: keg.FormatRaw,
			Settings: &MQTT{
				Address: "mqtts://broker", Topic: "shop/{type}", QoS: 2, Retain: true, ClientID: "keg-1", Username: "u", Password: secret(hidden),
				TLS: &TLS{CA: "/ca.pem"},
			},
		},
	}
	sameSecret := cmp.Comparer(func(a, b keg.Secret) bool { return a == b })
	if diff := cmp.Diff(want, table.Routes()[0].Destinations, sameSecret); diff != "" {
		t.Errorf("destinations (-want +got):\n%s", diff)
	}
}

// TestFormatsOfATypeAreItsOwn: MQTT 3.1.1 has no room for attributes beside the
// data.
func TestFormatsOfATypeAreItsOwn(t *testing.T) {
	for destination, good := range map[string]bool{
		"type: kafka, address: 'a:1', topic: t, format: binary":     true,
		"type: kafka, address: 'a:1', topic: t, format: structured": true,
		"type: http, address: 'http://a', format: raw":              true,
		"type: mqtt, address: 'a:1', topic: t, format: structured":  true,
		"type: mqtt, address: 'a:1', topic: t, format: raw":         true,
		"type: mqtt, address: 'a:1', topic: t, format: binary":      false,
	} {
		text := "routes: [{name: r, match: {}, destinations: [{" + destination + "}]}]"
		if _, err := router.Parse("routes.yaml", []byte(text), router.Options{Types: Types()}); (err == nil) != good {
			t.Errorf("%s: %v", destination, err)
		}
	}
}
