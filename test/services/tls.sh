# One authority, a server certificate for localhost, and a client's. Sourced.

make_certificates() {
    install_package openssl openssl
    local dir=$KEG_TEST_STATE/tls
    mkdir "$dir"
    {
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=keg test authority" \
            -keyout "$dir/ca.key" -out "$dir/ca.pem"
        issue server "subjectAltName=DNS:localhost,IP:127.0.0.1"
        issue client "extendedKeyUsage=clientAuth"
    } >"$KEG_TEST_STATE/tls.log" 2>&1 || { cat "$KEG_TEST_STATE/tls.log" >&2; fail "openssl made no certificates"; }
    cat "$dir/server.key" "$dir/server.pem" >"$dir/server-both.pem"
    chmod -R a+rX "$KEG_TEST_STATE"
    export_ KEG_TEST_TLS_CA "$dir/ca.pem"
    export_ KEG_TEST_TLS_CERT "$dir/client.pem"
    export_ KEG_TEST_TLS_KEY "$dir/client.key"
}

# issue NAME EXTENSION
issue() {
    local dir=$KEG_TEST_STATE/tls
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr"
    openssl x509 -req -days 2 -in "$dir/$1.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
        -extfile <(echo "$2") -out "$dir/$1.pem"
}
