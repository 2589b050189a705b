package clients

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/kong/keg"
)

// SASL says how to log in at Kafka's brokers.
type SASL struct {
	Mechanism    string            `keg:"mechanism,required" enum:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER" doc:"The SASL mechanism."`
	Username     string            `keg:"username" doc:"The user, for PLAIN and SCRAM."`
	Password     keg.Secret        `keg:"password" doc:"The password, for PLAIN and SCRAM."`
	TokenURL     string            `keg:"token_url" doc:"Where OAUTHBEARER gets its tokens (OAuth 2.0, client credentials)."`
	ClientID     string            `keg:"client_id" doc:"The client that OAUTHBEARER asks for tokens as."`
	ClientSecret keg.Secret        `keg:"client_secret" doc:"That client's secret."`
	Scopes       []string          `keg:"scopes,split" doc:"The scopes that OAUTHBEARER asks for."`
	Extensions   map[string]string `keg:"extensions" doc:"SASL extensions that OAUTHBEARER sends beside the token, such as logicalCluster."`
}

// Problems reports what is wrong with the settings at path. They may be nil.
func (s *SASL) Problems(path string) []error {
	if s == nil {
		return nil
	}
	var errs []error
	fail := func(field, problem string) {
		errs = append(errs, &keg.FieldError{Path: path + "." + field, Problem: problem})
	}
	switch s.Mechanism {
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		if s.Username == "" {
			fail("username", "is required for "+s.Mechanism)
		}
		if s.Password.IsZero() {
			fail("password", "is required for "+s.Mechanism)
		}
	case "OAUTHBEARER":
		if u, err := url.Parse(s.TokenURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			fail("token_url", "is required for OAUTHBEARER, and must be an http or https URL")
		} else if u.User != nil {
			fail("token_url", "must not hold a user or password; give client_id and client_secret")
		}
		if s.ClientID == "" {
			fail("client_id", "is required for OAUTHBEARER")
		}
		if s.ClientSecret.IsZero() {
			fail("client_secret", "is required for OAUTHBEARER")
		}
		for name, value := range s.Extensions {
			if !isExtension(name, value) {
				fail("extensions", "has one that RFC 7628 does not allow: a name has letters only, and is not auth; a value has printable characters")
			}
		}
	default:
		fail("mechanism", "must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")
	}
	return errs
}

// Login is SASL in a comparable form, as part of a client's key. The zero value
// is no SASL.
type Login struct {
	mechanism, username, tokenURL, clientID, scopes string
	extensions                                      string // JSON, names in order
	password, clientSecret                          keg.Secret
}

// Login returns the settings, which may be nil, in that form.
func (s *SASL) Login() Login {
	if s == nil {
		return Login{}
	}
	return Login{
		mechanism: s.Mechanism, username: s.Username, password: s.Password,
		tokenURL: s.TokenURL, clientID: s.ClientID, clientSecret: s.ClientSecret,
		scopes:     strings.Join(s.Scopes, " "), // RFC 6749, section 3.3: no scope has a space
		extensions: extensionsText(s.Extensions),
	}
}

// Apply sets up a client's config. Tokens are fetched until ctx ends.
func (l Login) Apply(ctx context.Context, config *sarama.Config) {
	if l.mechanism == "" {
		return
	}
	sasl := &config.Net.SASL
	sasl.Enable = true
	sasl.Mechanism = sarama.SASLMechanism(l.mechanism)
	sasl.User, sasl.Password = l.username, l.password.Reveal()
	switch l.mechanism {
	case "SCRAM-SHA-256":
		sasl.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA256} }
	case "SCRAM-SHA-512":
		sasl.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA512} }
	case "OAUTHBEARER":
		sasl.TokenProvider = newTokens(ctx, l)
	}
}

// scramClient is one conversation of RFC 5802, as sarama wants it.
type scramClient struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := c.hash.NewClient(user, password, authzID)
	if err != nil {
		return errors.New("the user or the password has characters that SCRAM does not allow (RFC 4013)")
	}
	c.conversation = client.NewConversation()
	return nil
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }
func (c *scramClient) Done() bool                            { return c.conversation.Done() }

// tokenTimeout bounds one request for a token.
const tokenTimeout = 10 * time.Second

// tokens are OAuth 2.0 access tokens, each used until shortly before it expires.
type tokens struct {
	source     oauth2.TokenSource
	extensions map[string]string
}

func newTokens(ctx context.Context, l Login) *tokens {
	config := clientcredentials.Config{
		ClientID:     l.clientID,
		ClientSecret: l.clientSecret.Reveal(),
		TokenURL:     l.tokenURL,
		Scopes:       strings.Fields(l.scopes),
	}
	// As an HTTP destination connects: past the environment's proxies, and never
	// to a cloud's metadata address.
	transport := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: tokenTimeout, Control: AddressGuard(true)}).DialContext,
		TLSHandshakeTimeout:    tokenTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true, // a token lasts for minutes; nothing is to stay open between
	}
	client := &http.Client{
		Transport:     transport,
		Timeout:       tokenTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &tokens{config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client)), extensionsOf(l.extensions)}
}

// Token returns a token that is good now. Its error holds nothing of what the
// token's server wrote but the status and OAuth's own error code.
func (t *tokens) Token() (*sarama.AccessToken, error) {
	token, err := t.source.Token()
	if err == nil {
		return &sarama.AccessToken{Token: token.AccessToken, Extensions: t.extensions}, nil
	}
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return nil, &TokenRefusedError{Status: refused.Response.StatusCode, Code: refused.ErrorCode}
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL, whose query may hold a secret
	}
	return nil, fmt.Errorf("no token from token_url: %w", err)
}

// TokenRefusedError: the token's server answered, and gave no token.
type TokenRefusedError struct {
	Status int
	Code   string // RFC 6749, section 5.2; "" where it sent none
}

func (e *TokenRefusedError) Error() string {
	text := fmt.Sprintf("token_url answered %d instead of a token", e.Status)
	if e.Code != "" {
		text += fmt.Sprintf(" (%.40q)", e.Code)
	}
	return text
}
