# Processes, ports, and the variables that the command sees. Sourced.

fail() {
    echo "test services: $*" >&2
    exit 1
}

# export_ NAME VALUE: a variable for the command, and for what is sourced later.
export_() {
    export "$1=$2"
    printf 'export %s=%q\n' "$1" "$2" >>"$KEG_TEST_STATE/environment"
}

# listening PORT
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port prints a port that nobody listens on and that was not given out yet.
free_port() {
    local port
    for _ in {1..200}; do
        port=$((20000 + RANDOM % 12000))
        listening "$port" && continue
        grep -qx "$port" "$KEG_TEST_STATE/ports" 2>/dev/null && continue
        echo "$port" >>"$KEG_TEST_STATE/ports"
        echo "$port"
        return
    done
    fail "no free port between 20000 and 32000"
}

# start_process SERVICE COMMAND...: in the background, its log in a file.
start_process() {
    local service=$1
    shift
    "$@" >>"$KEG_TEST_STATE/$service.log" 2>&1 </dev/null &
    echo $! >"$KEG_TEST_STATE/$service.pid"
}

# await SERVICE SECONDS CHECK...: until CHECK is true.
await() {
    local service=$1 deadline=$((SECONDS + $2)) pid
    shift 2
    pid=$(<"$KEG_TEST_STATE/$service.pid")
    until "$@"; do
        kill -0 "$pid" 2>/dev/null || fail "$service ended instead of starting"
        ((SECONDS < deadline)) || fail "$service did not start in time"
        sleep 0.1
    done
}

# family SERVICE prints the ids of its process and, where SERVICE_family knows of
# any, of that one's children.
family() {
    local pid
    pid=$(<"$KEG_TEST_STATE/$1.pid")
    if declare -F "$1_family" >/dev/null; then "$1_family" "$pid"; else echo "$pid"; fi
}

# stop_process SERVICE [SIGNAL]: returns when it is gone. Without a SIGNAL, the
# main process gets TERM or what SERVICE_stop_signal says; a SIGNAL is for all.
stop_process() {
    local service=$1 stop=${1}_stop_signal pid all
    [[ -s $KEG_TEST_STATE/$service.pid ]] || return 0
    all=$(family "$service")
    if [[ -n ${2:-} ]]; then
        kill -"$2" $all 2>/dev/null || true
    else
        kill -"${!stop:-TERM}" "$(<"$KEG_TEST_STATE/$service.pid")" 2>/dev/null || true
    fi
    kill -CONT $all 2>/dev/null || true # they may be paused
    for i in {1..300}; do
        for pid in $all; do
            running "$pid" && break
            pid=
        done
        if [[ -z $pid ]]; then
            rm -f "$KEG_TEST_STATE/$service.pid"
            return 0
        fi
        ((i == 150)) && kill -KILL $all 2>/dev/null
        sleep 0.1
    done
    echo "test services: $service (process $pid) did not end" >&2
    return 1
}

# running PID: neither gone nor a zombie.
running() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
    [[ -n $state && $state != Z ]]
}

# install_package COMMAND PACKAGE: Debian's package where the command is missing.
install_package() {
    command -v "$1" >/dev/null && return
    ((EUID == 0)) && command -v apt-get >/dev/null || fail "$1 is missing; install the package $2"
    echo "test services: installing $2" >&2
    local log=$KEG_TEST_STATE/apt.log
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2" >"$log" 2>&1 ||
        { apt-get update -qq >>"$log" 2>&1 &&
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2" >>"$log" 2>&1; } ||
        { tail -n 20 "$log" >&2; fail "the package $2 could not be installed"; }
}
