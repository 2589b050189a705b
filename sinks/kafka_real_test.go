//go:build real

package sinks

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kong/keg"
	"github.com/kong/keg/sinks/sinktest"
)

// realTopic makes a topic of the test's own, and waits until its partitions
// have leaders that know it: with acks none nobody would say that they do not.
func realTopic(t testing.TB) string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(setting(t, "KEG_TEST_KAFKA")))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	create := kmsg.NewCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic = fmt.Sprintf("keg-%d", time.Now().UnixNano())
	topic.NumPartitions, topic.ReplicationFactor = 3, 1
	create.Topics = append(create.Topics, topic)
	ctx := ctxOf(t, 30*time.Second)
	if _, err := create.RequestWith(ctx, client); err != nil {
		t.Fatal(err)
	}
	for {
		ends, err := endOffsets(ctx, client, topic.Topic)
		if err == nil && len(ends) == 3 {
			return topic.Topic
		}
		if ctx.Err() != nil {
			t.Fatalf("the topic has no leaders: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func realRecords(t testing.TB, topic string) []*kgo.Record {
	t.Helper()
	records, err := readTopic(ctxOf(t, time.Minute), topic, kgo.SeedBrokers(setting(t, "KEG_TEST_KAFKA")))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestRealKafkaKeepsTheContractOfASink(t *testing.T) {
	sinktest.RunWithoutWire(t, func(t *testing.T) *sinktest.Target {
		pool, topic := newPool(t), realTopic(t)
		return &sinktest.Target{
			Type:    "kafka",
			Open:    pool.Open,
			Formats: kafkaKind().Formats,
			Headers: true,
			Settings: func() keg.Settings {
				settings := kafkaSettings(setting(t, "KEG_TEST_KAFKA"), topic)
				settings.MaxMessageBytes = 2 << 20
				settings.Compression = "zstd" // brings the MiB of the suite under the broker's limit
				return settings
			},
			Arrived: func(context.Context) ([]sinktest.Arrival, error) {
				var arrivals []sinktest.Arrival
				for _, r := range realRecords(t, topic) {
					a, err := arrival(r)
					if err != nil {
						return nil, err
					}
					arrivals = append(arrivals, a)
				}
				return arrivals, nil
			},
			Refusals: []sinktest.Refusal{{
				Name:     "the broker finds the record too large",
				TooLarge: true,
				Settings: func() keg.Settings {
					settings := kafkaSettings(setting(t, "KEG_TEST_KAFKA"), topic)
					settings.MaxMessageBytes = 4 << 20
					return settings
				},
				Event: func(e *keg.Event) { e.Data = bytes.Repeat([]byte("x"), 2<<20) },
			}},
		}
	})
}

func TestRealKafkaLogins(t *testing.T) {
	authority := &TLS{CA: setting(t, "KEG_TEST_TLS_CA")}
	password := keg.NewSecret(setting(t, "KEG_TEST_KAFKA_PASSWORD"))
	tokens := tokenServer(t)
	user := func(mechanism string, password keg.Secret) *SASL {
		return &SASL{Mechanism: mechanism, Username: setting(t, "KEG_TEST_KAFKA_USER"), Password: password}
	}
	oauth := func(secret string) *SASL {
		return &SASL{Mechanism: "OAUTHBEARER", TokenURL: tokens, ClientID: "keg", ClientSecret: keg.NewSecret(secret), Scopes: []string{"kafka"}}
	}
	wrong := keg.NewSecret(sinktest.Secret)
	tests := map[string]struct {
		listener string
		tls      *TLS
		sasl     *SASL
		want     string // good, permanent, transient
	}{
		"TLS with a client certificate": {
			"KEG_TEST_KAFKA_TLS", &TLS{CA: authority.CA, Cert: setting(t, "KEG_TEST_TLS_CERT"), Key: keg.NewSecret(setting(t, "KEG_TEST_TLS_KEY"))}, nil, "good",
		},
		"TLS without the client certificate": {"KEG_TEST_KAFKA_TLS", authority, nil, "transient"},
		"an authority that is not known":     {"KEG_TEST_KAFKA_SASL", &TLS{}, user("PLAIN", password), "transient"},
		"any certificate":                    {"KEG_TEST_KAFKA_SASL", &TLS{InsecureSkipVerify: true}, user("PLAIN", password), "good"},
		"another server's name":              {"KEG_TEST_KAFKA_SASL", &TLS{CA: authority.CA, ServerName: "kafka.example"}, user("PLAIN", password), "transient"},
		"PLAIN":                              {"KEG_TEST_KAFKA_SASL", authority, user("PLAIN", password), "good"},
		"PLAIN, wrong password":              {"KEG_TEST_KAFKA_SASL", authority, user("PLAIN", wrong), "permanent"},
		"SCRAM-SHA-256":                      {"KEG_TEST_KAFKA_SASL", authority, user("SCRAM-SHA-256", password), "good"},
		"SCRAM-SHA-256, wrong password":      {"KEG_TEST_KAFKA_SASL", authority, user("SCRAM-SHA-256", wrong), "permanent"},
		"SCRAM-SHA-512":                      {"KEG_TEST_KAFKA_SASL", authority, user("SCRAM-SHA-512", password), "good"},
		"SCRAM-SHA-512, wrong password":      {"KEG_TEST_KAFKA_SASL", authority, user("SCRAM-SHA-512", wrong), "permanent"},
		"OAUTHBEARER":                        {"KEG_TEST_KAFKA_OAUTH", authority, oauth("right"), "good"},
		"OAUTHBEARER, wrong secret":          {"KEG_TEST_KAFKA_OAUTH", authority, oauth(sinktest.Secret), "permanent"},
		"a mechanism that is not offered":    {"KEG_TEST_KAFKA_OAUTH", authority, user("PLAIN", password), "permanent"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			topic := realTopic(t)
			settings := kafkaSettings(setting(t, test.listener), topic)
			settings.TLS, settings.SASL = test.tls, test.sasl
			sink := openSink(t, newPool(t), kafkaDestination(settings))
			err := sink.Send(ctxOf(t, 20*time.Second), testEvent("e"))
			if err != nil {
				t.Log(err)
				if strings.Contains(err.Error(), sinktest.Secret) || strings.Contains(err.Error(), password.Reveal()) {
					t.Error("the error holds a secret")
				}
			}
			got := "good"
			if keg.IsPermanent(err) {
				got = "permanent"
			} else if err != nil {
				got = "transient"
			}
			if got != test.want {
				t.Errorf("Send is %s (%v), want %s", got, err, test.want)
			}
			if err == nil && len(realRecords(t, topic)) != 1 {
				t.Error("the record is not there")
			}
		})
	}
}

// tokenServer gives unsigned tokens (RFC 7519, section 6) to the client keg.
func tokenServer(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if id, secret, _ := r.BasicAuth(); id != "keg" || secret != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":"wrong secret %s"}`, secret)
			return
		}
		encode := base64.RawURLEncoding.EncodeToString
		now := time.Now().Unix()
		token := encode([]byte(`{"alg":"none"}`)) + "." +
			encode(fmt.Appendf(nil, `{"sub":"keg","scope":"kafka","iat":%d,"exp":%d}`, now, now+3600)) + "."
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, token)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestRealKafkaRefusesAForbiddenTopicForGood(t *testing.T) {
	topic := realTopic(t)
	admin, err := sarama.NewClusterAdmin([]string{setting(t, "KEG_TEST_KAFKA")}, sarama.NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	err = admin.CreateACLs([]*sarama.ResourceAcls{{
		Resource: sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: topic, ResourcePatternType: sarama.AclPatternLiteral},
		Acls: []*sarama.Acl{{
			Principal: "User:" + setting(t, "KEG_TEST_KAFKA_USER"), Host: "*",
			Operation: sarama.AclOperationWrite, PermissionType: sarama.AclPermissionDeny,
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	settings := kafkaSettings(setting(t, "KEG_TEST_KAFKA_SASL"), topic)
	settings.TLS = &TLS{CA: setting(t, "KEG_TEST_TLS_CA")}
	settings.SASL = &SASL{Mechanism: "PLAIN", Username: setting(t, "KEG_TEST_KAFKA_USER"), Password: keg.NewSecret(setting(t, "KEG_TEST_KAFKA_PASSWORD"))}
	sink := openSink(t, newPool(t), kafkaDestination(settings))
	if err := sink.Send(ctxOf(t, 20*time.Second), testEvent("forbidden")); !keg.IsPermanent(err) {
		t.Errorf("Send: %v, want a permanent error", err)
	}
}

func TestRealKafkaTakesEveryCompressionAndAcks(t *testing.T) {
	for compression := range kafkaCompression {
		for acks := range kafkaAcks {
			t.Run(compression+"/"+acks, func(t *testing.T) {
				topic := realTopic(t)
				settings := kafkaSettings(setting(t, "KEG_TEST_KAFKA"), topic)
				settings.Compression, settings.Acks = compression, acks
				sink := openSink(t, newPool(t), kafkaDestination(settings))
				if err := sink.Send(ctxOf(t, 20*time.Second), testEvent("e")); err != nil {
					t.Fatal(err)
				}
				for acks == "none" && len(realRecords(t, topic)) == 0 && t.Context().Err() == nil {
					time.Sleep(10 * time.Millisecond) // nobody says when it has arrived
				}
				if got := realRecords(t, topic); len(got) != 1 || string(got[0].Value) != "data of e" {
					t.Errorf("the topic holds %d records", len(got))
				}
			})
		}
	}
}
