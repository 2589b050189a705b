package plugins

import (
	"github.com/kong/keg"
)

// kafkaConfig are the fields that kafka-upstream and kafka-log share. They are
// those of Kong Enterprise's plugins of the same names, with their defaults, so
// that a file which was written for these is read as it is.
type kafkaConfig struct {
	BootstrapServers []kafkaServer        `kong:"bootstrap_servers,required" len_min:"1" doc:"The brokers that are asked first; they name the others."`
	Topic            string               `kong:"topic,required" match:"^[%w%._%-]+$" len_max:"249" doc:"The topic that records go to."`
	KeyQueryArg      string               `kong:"key_query_arg" doc:"The argument of the query that holds the record's key. A request without it makes a record without a key."`
	Timeout          int                  `kong:"timeout" default:"10000" gt:"0" doc:"How long all attempts at one record may take, in milliseconds; at most 55 seconds where the client waits. In the background a record whose time ran out is tried for as long again, five times at most."`
	Keepalive        int                  `kong:"keepalive" default:"60000" doc:"Taken and without effect: a connection stays open as long as it is used, and is shared by all that send to the cluster."`
	KeepaliveEnabled bool                 `kong:"keepalive_enabled" default:"false" doc:"Taken and without effect: see keepalive."`
	ClusterName      string               `kong:"cluster_name" doc:"A name for the cluster, of your own. Instances with the same brokers and credentials share a producer, whatever they call it."`
	Authentication   *kafkaAuthentication `kong:"authentication" doc:"How to log in at the brokers."`
	Security         *kafkaSecurity       `kong:"security" doc:"How connections are secured."`
	Compression      string               `kong:"compression_type" default:"none" one_of:"none,gzip,snappy,lz4" doc:"How batches of records are compressed."`
	SchemaRegistry   *kafkaRegistry       `kong:"schema_registry" doc:"Records are JSON. A schema registry is not asked."`

	Acks             int `kong:"producer_request_acks" default:"1" one_of:"-1,0,1" doc:"Who must have a record before it counts as sent. 1: the partition's leader. -1: all of its replicas. 0: nobody, and nothing is promised."`
	RequestTimeout   int `kong:"producer_request_timeout" default:"2000" gt:"0" doc:"How long the broker may wait for its replicas, in milliseconds."`
	MessagesInOne    int `kong:"producer_request_limits_messages_per_request" default:"200" gt:"0" doc:"The most records in one request to the broker."`
	BytesInOne       int `kong:"producer_request_limits_bytes_per_request" default:"1048576" gt:"0" doc:"The largest request to the broker, and so the largest record, in bytes. A larger record is refused."`
	MaxAttempts      int `kong:"producer_request_retries_max_attempts" default:"10" doc:"How often a record is tried, within the timeout."`
	RetryBackoff     int `kong:"producer_request_retries_backoff_timeout" default:"100" doc:"How long to wait between two attempts at most, in milliseconds."`
	FlushTimeout     int `kong:"producer_async_flush_timeout" default:"1000" doc:"Taken and without effect: a record is sent at once, in one request with those that came while the last request was on its way."`
	MessagesInMemory int `kong:"producer_async_buffering_limits_messages_in_memory" default:"50000" gt:"0" doc:"The most records of this plugin that wait in memory to be sent. The node's own bounds hold beside it."`

	Async             bool `kong:"producer_async" default:"true" doc:"Whether records are sent in the background. What waits is kept on disk where the node has persistence, else in memory, where a stop may lose it."`
	HealthGating      bool `kong:"producer_async_health_gating" default:"false" doc:"Whether the plugin takes nothing more while the cluster is known to be away, instead of filling the memory. Where records are kept on disk it is without effect."`
	FailureThreshold  int  `kong:"producer_async_failure_threshold" default:"3" gt:"0" doc:"After how many failures in a row the cluster counts as away."`
	ProbeInterval     int  `kong:"producer_async_probe_interval" default:"5000" gt:"0" doc:"How often one record is let through while the cluster counts as away, in milliseconds."`
	RecoveryThreshold int  `kong:"producer_async_recovery_threshold" default:"1" gt:"0" doc:"After how many successes in a row the cluster counts as back."`

	// PluginID is Kong's id of the plugin: what is stored is known by it.
	PluginID string `kong:"__plugin_id,unlisted"`
}

// fill makes records of those that are left out, or null: Kong keeps them so.
func (c *kafkaConfig) fill() {
	c.Authentication = orZero(c.Authentication)
	c.Authentication.OAuthBearer = orZero(c.Authentication.OAuthBearer)
	c.Security = orZero(c.Security)
}

func orZero[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// kafkaServer is one broker.
type kafkaServer struct {
	Host string `kong:"host,required" doc:"The broker's host name or address."`
	Port int    `kong:"port,required" between:"1,65535" doc:"The broker's port, such as 9092."`
}

// kafkaAuthentication says how to log in.
type kafkaAuthentication struct {
	Strategy    string      `kong:"strategy" one_of:"sasl" doc:"How to log in: sasl, or not at all where unset."`
	Mechanism   string      `kong:"mechanism" one_of:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER" doc:"The SASL mechanism."`
	User        string      `kong:"user,referenceable,encrypted" doc:"The user, for PLAIN and SCRAM."`
	Password    keg.Secret  `kong:"password,referenceable,encrypted" doc:"The password, for PLAIN and SCRAM."`
	TokenAuth   bool        `kong:"tokenauth" refused:"cannot be used: KEG does not log in with delegation tokens; use a user and a password of SCRAM" doc:"Whether user and password are a delegation token. Not supported: use a user of SCRAM."`
	OAuthBearer *kafkaOAuth `kong:"oauthbearer" doc:"Where OAUTHBEARER gets its tokens (OAuth 2.0, client credentials)."`
}

type kafkaOAuth struct {
	TokenURL     string            `kong:"token_endpoint_url,referenceable" doc:"The URL that tokens are asked of."`
	ClientID     string            `kong:"client_id,referenceable,encrypted" doc:"The client that asks."`
	ClientSecret keg.Secret        `kong:"client_secret,referenceable,encrypted" doc:"That client's secret."`
	Scopes       []string          `kong:"scopes" doc:"The scopes to ask for."`
	Extensions   map[string]string `kong:"extensions" doc:"SASL extensions that the brokers ask for beside the token, such as logicalCluster."`
	Verify       bool              `kong:"token_endpoint_tls_verify" default:"true" refused:"cannot be false: KEG always verifies whom it tells the client's secret; make the endpoint's certificate one that the system trusts" doc:"Whether the endpoint's certificate is verified. It always is."`
}

// kafkaSecurity says how connections are secured.
type kafkaSecurity struct {
	SSL           bool       `kong:"ssl" doc:"Whether to speak TLS with the brokers."`
	SSLVerify     bool       `kong:"ssl_verify" default:"true" doc:"Whether the brokers' certificates are verified. Without, TLS protects from nobody who can answer in their place."`
	CertificateID string     `kong:"certificate_id,uuid" refused:"cannot be used: a plugin outside of Kong cannot read its certificate entities; give the certificate and its key in security.certificate and security.key, as PEM text, a file's path or a vault reference" doc:"The id of a certificate entity of Kong's. Not supported: use certificate and key."`
	Certificate   string     `kong:"certificate,referenceable" doc:"The client's certificate: PEM text, a file's path on the node, or a vault reference."`
	Key           keg.Secret `kong:"key,referenceable,encrypted" doc:"The client certificate's private key: PEM text, a file's path on the node, or a vault reference."`
	CA            string     `kong:"ca,referenceable" doc:"The certificates that the brokers' must come from: PEM text, a file's path or a vault reference. The system's where unset."`
}

// kafkaRegistry is there to be refused with a reason.
type kafkaRegistry struct {
	Confluent *struct{} `kong:"confluent" refused:"cannot be used: KEG writes records as JSON and asks no schema registry; remove it, or check the data with the schema of a route of event-router" doc:"A registry of Confluent's kind. Not supported: records are JSON."`
}
