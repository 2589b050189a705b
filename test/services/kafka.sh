# One Kafka broker in KRaft mode. Sourced.
#
#   KEG_TEST_KAFKA        plaintext
#   KEG_TEST_KAFKA_TLS    TLS, a client certificate required
#   KEG_TEST_KAFKA_SASL   TLS; PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
#   KEG_TEST_KAFKA_OAUTH  TLS; OAUTHBEARER, which takes any unsigned token
#   KEG_TEST_KAFKA_USER, KEG_TEST_KAFKA_PASSWORD

kafka_jars() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/keg/kafka-$(cksum <"$1/pom.xml" | cut -d' ' -f1)"; }

kafka_install() {
    command -v java >/dev/null || fail "java is missing; Kafka needs version 17 or later"
    local jars
    jars=$(kafka_jars "$here")
    [[ -d $jars ]] && return
    command -v mvn >/dev/null || fail "mvn is missing; Maven fetches Kafka's jars"
    echo "test services: fetching Kafka's jars" >&2
    rm -rf "$jars.part"
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$jars.part" >"$KEG_TEST_STATE/maven.log" 2>&1 ||
        { tail -n 20 "$KEG_TEST_STATE/maven.log" >&2; fail "Maven could not fetch Kafka's jars"; }
    mv "$jars.part" "$jars"
}

# kafka_java replaces the shell that calls it, so that its process id is Java's.
kafka_java() {
    exec java -cp "$(kafka_jars "$here")/*" -Xmx512m -Xms128m -XX:+UseSerialGC \
        -Dlog4j2.configurationFile="$here/log4j2.properties" "$@"
}

kafka_prepare() {
    local plain tls sasl oauth controller password dir=$KEG_TEST_STATE/kafka
    plain=$(free_port) tls=$(free_port) sasl=$(free_port) oauth=$(free_port) controller=$(free_port)
    password=$(openssl rand -hex 12)
    mkdir "$dir"
    export_ KEG_TEST_KAFKA "127.0.0.1:$plain"
    export_ KEG_TEST_KAFKA_TLS "127.0.0.1:$tls"
    export_ KEG_TEST_KAFKA_SASL "127.0.0.1:$sasl"
    export_ KEG_TEST_KAFKA_OAUTH "127.0.0.1:$oauth"
    export_ KEG_TEST_KAFKA_USER keg
    export_ KEG_TEST_KAFKA_PASSWORD "$password"
    export_ KEG_TEST_KAFKA_PID "$KEG_TEST_STATE/kafka.pid"
    cat >"$dir/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
listeners=PLAIN://127.0.0.1:$plain,TLS://127.0.0.1:$tls,SASL://127.0.0.1:$sasl,OAUTH://127.0.0.1:$oauth,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAIN://127.0.0.1:$plain,TLS://127.0.0.1:$tls,SASL://127.0.0.1:$sasl,OAUTH://127.0.0.1:$oauth
listener.security.protocol.map=PLAIN:PLAINTEXT,TLS:SSL,SASL:SASL_SSL,OAUTH:SASL_SSL,CONTROLLER:PLAINTEXT

ssl.keystore.type=PEM
ssl.keystore.location=$KEG_TEST_STATE/tls/server-both.pem
ssl.truststore.type=PEM
ssl.truststore.location=$KEG_TEST_STATE/tls/ca.pem
listener.name.tls.ssl.client.auth=required

listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_keg="$password";
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.oauth.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";

authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS

log.dirs=$dir/data
num.partitions=3
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
controlled.shutdown.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
EOF
    (kafka_java kafka.tools.StorageTool format --cluster-id a2VnLXRlc3Qta2VnLXRlcw --config "$dir/server.properties" \
        --add-scram "SCRAM-SHA-256=[name=keg,password=$password]" \
        --add-scram "SCRAM-SHA-512=[name=keg,password=$password]") >"$KEG_TEST_STATE/kafka.log" 2>&1 ||
        fail "Kafka's storage could not be formatted"
}

kafka_start() {
    local log_start
    log_start=$(wc -l <"$KEG_TEST_STATE/kafka.log")
    start_process kafka kafka_java kafka.Kafka "$KEG_TEST_STATE/kafka/server.properties"
    await kafka 90 kafka_answers
}

kafka_answers() {
    local address
    for address in "$KEG_TEST_KAFKA" "$KEG_TEST_KAFKA_TLS" "$KEG_TEST_KAFKA_SASL" "$KEG_TEST_KAFKA_OAUTH"; do
        listening "${address##*:}" || return 1
    done
    tail -n +"$((log_start + 1))" "$KEG_TEST_STATE/kafka.log" | grep -q 'Kafka Server started'
}

kafka_describe() { echo "Kafka on $KEG_TEST_KAFKA, TLS $KEG_TEST_KAFKA_TLS, SASL $KEG_TEST_KAFKA_SASL, OAUTHBEARER $KEG_TEST_KAFKA_OAUTH"; }
