# One PostgreSQL server. Sourced.
#
#   KEG_TEST_POSTGRES      postgres://… of a database of its own, by password,
#                          for a user who may create databases and roles
#   KEG_TEST_POSTGRES_PID  the file that holds the postmaster's process id

# SIGTERM would wait until every client has gone.
postgres_stop_signal=INT

# postgres_bin prints the directory of the newest version's programs, which
# Debian keeps out of the path.
postgres_bin() {
    local newest
    newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
    if [[ -x $newest ]]; then
        dirname "$newest"
    elif command -v initdb >/dev/null; then
        dirname "$(command -v initdb)"
    else
        return 1
    fi
}

postgres_install() {
    postgres_bin >/dev/null || install_package initdb postgresql
    postgres_bin >/dev/null || fail "the package postgresql brought no server"
}

# postgres_as replaces the shell that calls it: the server refuses to be root.
postgres_as() {
    cd /
    if ((EUID == 0)); then exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"; fi
    exec "$@"
}

postgres_prepare() {
    local port password dir=$KEG_TEST_STATE/postgres bin
    bin=$(postgres_bin)
    port=$(free_port)
    password=$(openssl rand -hex 12)
    export_ KEG_TEST_POSTGRES "postgres://keg:$password@127.0.0.1:$port/keg?sslmode=disable"
    export_ KEG_TEST_POSTGRES_PID "$KEG_TEST_STATE/postgres.pid"
    mkdir "$dir"
    echo "$password" >"$dir/password"
    if ((EUID == 0)); then chown -R postgres: "$dir"; fi
    {
        (postgres_as "$bin/initdb" -D "$dir/data" -U keg -A scram-sha-256 --pwfile "$dir/password" -E UTF8 --locale C --no-sync) &&
            cat >>"$dir/data/postgresql.conf" <<CONF &&
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 100
shared_buffers = 256MB
max_wal_size = 4GB
log_min_messages = warning
CONF
            echo 'CREATE DATABASE keg;' | (postgres_as "$bin/postgres" --single -D "$dir/data" postgres)
    } >"$KEG_TEST_STATE/postgres.log" 2>&1 || fail "PostgreSQL's data directory could not be made"
}

postgres_start() {
    local bin
    bin=$(postgres_bin)
    # Who was killed is dead, but may be a zombie still, which the server takes for another server.
    rm -f "$KEG_TEST_STATE/postgres/data/postmaster.pid"
    start_process postgres postgres_as "$bin/postgres" -D "$KEG_TEST_STATE/postgres/data"
    await postgres 60 env PGCONNECT_TIMEOUT=5 "$bin/pg_isready" -q -d "$KEG_TEST_POSTGRES"
}

# postgres_family PID: one process for each connection, and a few more.
postgres_family() { echo "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null); }

postgres_describe() { echo "PostgreSQL on ${KEG_TEST_POSTGRES##*@}"; }
