package sinks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/kong/keg"
	"github.com/kong/keg/sinks/sinktest"
	"github.com/kong/keg/test/tlstest"
)

func TestKafkaLogsInOverTLS(t *testing.T) {
	authority := tlstest.NewAuthority(t)
	const password = sinktest.Secret
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			serverTLS := authority.Server(t)
			server := startKafka(t, kfake.EnableSASL(), kfake.TLS(serverTLS),
				kfake.Superuser(mechanism, "keg", password), kfake.Superuser("PLAIN", "reader", "reader"))
			settings := func(password string) *Kafka {
				k := server.settings("orders")
				k.TLS = &TLS{CA: authority.PEM}
				k.SASL = &SASL{Mechanism: mechanism, Username: "keg", Password: keg.NewSecret(password)}
				return k
			}
			pool := newPool(t)
			wrong := openSink(t, pool, kafkaDestination(settings("wrong-"+password)))
			// This server hangs up; a real broker says why, and that is permanent.
			if err := wrong.Send(ctxOf(t, 10*time.Second), testEvent("1")); err == nil || strings.Contains(err.Error(), password) {
				t.Errorf("a wrong password: %v, want an error without it", err)
			}
			sink := openSink(t, pool, kafkaDestination(settings(password)))
			if err := sink.Send(ctxOf(t, 10*time.Second), testEvent("1")); err != nil {
				t.Fatalf("Send: %v", err)
			}
			credentials, err := (&TLS{CA: authority.PEM}).Read("tls")
			if err != nil {
				t.Fatal(err)
			}
			records, err := readTopic(ctxOf(t, 10*time.Second), "orders", kgo.SeedBrokers(server.wire.Addr().String()),
				kgo.DialTLSConfig(credentials.Config()), kgo.SASL(plain.Auth{User: "reader", Pass: "reader"}.AsMechanism()))
			if err != nil || len(records) != 1 {
				t.Errorf("%d records, %v", len(records), err)
			}
		})
	}
}

func TestABrokerWhoseCertificateIsNotTrustedIsNotSpokenTo(t *testing.T) {
	server := startKafka(t, kfake.TLS(tlstest.NewAuthority(t).Server(t)))
	settings := server.settings("orders")
	settings.TLS = &TLS{CA: tlstest.NewAuthority(t).PEM}
	sink := openSink(t, newPool(t), kafkaDestination(settings))
	err := sink.Send(ctxOf(t, 10*time.Second), testEvent("1"))
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Send: %v, want an error that names the certificate", err)
	}
}

// tokenSource is what s asks for tokens by.
func tokenSource(t *testing.T, s *SASL) sarama.AccessTokenProvider {
	t.Helper()
	config := sarama.NewConfig()
	s.Login().Apply(t.Context(), config)
	return config.Net.SASL.TokenProvider
}

func TestATokenServersRefusalTellsNoSecret(t *testing.T) {
	tests := map[string]struct {
		status    int
		body      string
		permanent bool
		want      string
	}{
		"a wrong secret":       {401, `{"error":"invalid_client","error_description":"you sent s3cr3t"}`, true, `token_url answered 401 instead of a token ("invalid_client")`},
		"an answer of lines":   {400, `{"error":"a\r\nb s3cr` + `"}`, true, `token_url answered 400 instead of a token ("a\r\nb s3cr")`},
		"no OAuth at all":      {404, "s3cr3t\r\nnot found", false, "token_url answered 404 instead of a token"},
		"out of order":         {503, "", false, "token_url answered 503 instead of a token"},
		"a redirect":           {302, "", false, "token_url answered 302 instead of a token"},
		"a token of nothing":   {200, `{"access_token":""}`, false, "no token from token_url"},
		"an answer of garbage": {200, "s3cr3t", false, "no token from token_url"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			defer server.Close()
			s := &SASL{Mechanism: "OAUTHBEARER", TokenURL: server.URL, ClientID: "keg", ClientSecret: keg.NewSecret("s3cr3t")}
			_, err := tokenSource(t, s).Token()
			if err == nil {
				t.Fatal("a token")
			}
			told := &kafkaError{classify(err)}
			if !strings.Contains(told.Error(), test.want) || strings.Contains(told.Error(), "s3cr3t") || strings.ContainsAny(told.Error(), "\r\n") {
				t.Errorf("%q, want %q", told, test.want)
			}
			if keg.IsPermanent(told) != test.permanent {
				t.Errorf("permanent: %v", !test.permanent)
			}
		})
	}
}
