package clients

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"

	"github.com/kong/keg"
)

// tokenSource is what s asks for tokens by.
func tokenSource(t *testing.T, s *SASL) sarama.AccessTokenProvider {
	t.Helper()
	config := sarama.NewConfig()
	s.Login().Apply(t.Context(), config)
	return config.Net.SASL.TokenProvider
}

func TestTokensAreFetchedOnceAndKept(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		id, secret, _ := r.BasicAuth()
		if err := r.ParseForm(); err != nil || id != "keg" || secret != "s3cr3t" || r.Form.Get("scope") != "a b" || r.Form.Get("grant_type") != "client_credentials" {
			t.Errorf("asked as %q %q with %v", id, secret, r.Form)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"token","token_type":"Bearer","expires_in":3600}`)
	}))
	defer server.Close()
	s := &SASL{Mechanism: "OAUTHBEARER", TokenURL: server.URL, ClientID: "keg", ClientSecret: keg.NewSecret("s3cr3t"), Scopes: []string{"a", "b"},
		Extensions: map[string]string{"logicalCluster": "lkc-1"}}
	tokens := tokenSource(t, s)
	for range 3 {
		token, err := tokens.Token()
		if err != nil || token.Token != "token" || token.Extensions["logicalCluster"] != "lkc-1" {
			t.Fatalf("%v, %v", token, err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times for a token that lasts an hour", asked.Load())
	}
}

func TestATokenServerThatIsAwayTellsNoSecret(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:1/token?tenant=s3cr3t": "127.0.0.1:1: connect",
		"http://169.254.169.254/?tenant=s3cr3t":  "metadata address",
	} {
		s := &SASL{Mechanism: "OAUTHBEARER", TokenURL: url, ClientID: "keg", ClientSecret: keg.NewSecret("s3cr3t")}
		_, err := tokenSource(t, s).Token()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
