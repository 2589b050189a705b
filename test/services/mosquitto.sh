# One Mosquitto with three listeners. Sourced.
#
#   KEG_TEST_MQTT           plain, anyone
#   KEG_TEST_MQTT_PASSWORD  plain, with KEG_TEST_MQTT_USER and KEG_TEST_MQTT_SECRET
#   KEG_TEST_MQTT_TLS       TLS, anyone

mosquitto_install() {
    PATH=$PATH:/usr/sbin
    install_package mosquitto mosquitto
}

mosquitto_prepare() {
    local plain password tls secret dir=$KEG_TEST_STATE/mosquitto
    plain=$(free_port) password=$(free_port) tls=$(free_port)
    secret=$(openssl rand -hex 12)
    mkdir "$dir"
    export_ KEG_TEST_MQTT "127.0.0.1:$plain"
    export_ KEG_TEST_MQTT_PASSWORD "127.0.0.1:$password"
    export_ KEG_TEST_MQTT_TLS "127.0.0.1:$tls"
    export_ KEG_TEST_MQTT_USER keg
    export_ KEG_TEST_MQTT_SECRET "$secret"
    export_ KEG_TEST_MQTT_PID "$KEG_TEST_STATE/mosquitto.pid"
    echo "keg:$secret" >"$dir/passwords"
    mosquitto_passwd -U "$dir/passwords" || fail "mosquitto_passwd could not hash the password"
    cat >"$dir/mosquitto.conf" <<EOF
per_listener_settings true
log_dest stdout
persistence true
persistence_location $dir/
autosave_interval ${KEG_TEST_MQTT_AUTOSAVE:-1}
autosave_on_changes true
max_queued_messages 100000

listener $plain 127.0.0.1
allow_anonymous true

listener $password 127.0.0.1
allow_anonymous false
password_file $dir/passwords

listener $tls 127.0.0.1
allow_anonymous true
cafile $KEG_TEST_STATE/tls/ca.pem
certfile $KEG_TEST_STATE/tls/server.pem
keyfile $KEG_TEST_STATE/tls/server.key
EOF
    if ((EUID == 0)); then echo "user root" >>"$dir/mosquitto.conf"; fi
}

mosquitto_start() {
    PATH=$PATH:/usr/sbin
    start_process mosquitto mosquitto -c "$KEG_TEST_STATE/mosquitto/mosquitto.conf"
    await mosquitto 20 mosquitto_answers
}

mosquitto_answers() {
    local address
    for address in "$KEG_TEST_MQTT" "$KEG_TEST_MQTT_PASSWORD" "$KEG_TEST_MQTT_TLS"; do
        listening "${address##*:}" || return 1
    done
}

mosquitto_describe() { echo "Mosquitto on $KEG_TEST_MQTT, with a password $KEG_TEST_MQTT_PASSWORD, TLS $KEG_TEST_MQTT_TLS"; }
