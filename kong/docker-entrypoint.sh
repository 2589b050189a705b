#!/bin/sh
# Runs Kong with KEG's plugins, in the image and wherever `keg` and `kong` are in
# PATH:
#
#     docker-entrypoint.sh kong docker-start     # as the image does
#     docker-entrypoint.sh kong start            # without a container
#     docker-entrypoint.sh kong reload           # any command of Kong's, with the same settings
#
# KEG_* variables are keg's own (`keg help environment`), KONG_* are Kong's; to
# Kong's are added what it must know of the plugins. keg is started here and not
# by Kong: so it keeps the environment, which nginx takes from its workers; it
# listens before Kong's first request; and it ends after Kong's last one.
set -u

prefix=${KONG_PREFIX:-/usr/local/kong}
# In a folder of its own: Kong removes every socket that lies in its prefix when
# it starts. Kong's command line cannot take a blank in it.
: "${KEG_SOCKET:=$prefix/keg/keg.socket}"
drain=20 # seconds for Kong's requests; keg's own deliveries have 15 more

say() { printf 'keg: %s\n' "$*" >&2; }
refuse() { say "$@"; exit 2; }

# with LIST NAME: the comma-separated list, with the name in it once.
with() {
  case ",$(printf %s "$1" | tr -d ' '),", in
    *",$2,"*) printf %s "$1" ;;
    ,,,) printf %s "$2" ;;
    *) printf '%s,%s' "$1" "$2" ;;
  esac
}

# configure tells Kong, by its environment, of each plugin that this keg serves.
configure() {
  set_of=$(keg plugin list) || refuse "keg plugin list failed: is keg in PATH, and can it run?"
  keg=$(command -v keg)
  case "$keg$KEG_SOCKET" in
    *[!A-Za-z0-9._/+@-]*) refuse "KEG_SOCKET=$KEG_SOCKET, or $keg, has a character that Kong's settings cannot carry; letters, digits and . _ / + @ - are good" ;;
    /*) ;;
    *) refuse "keg is not in PATH under an absolute name: $keg" ;;
  esac
  case $KEG_SOCKET in /*) ;; *) refuse "KEG_SOCKET=$KEG_SOCKET is no absolute path" ;; esac

  plugins=${KONG_PLUGINS:-bundled}
  [ "$plugins" != off ] || plugins=
  servers=${KONG_PLUGINSERVER_NAMES:-}
  for name in $set_of; do
    variable=KONG_PLUGINSERVER_$(printf %s "$name" | tr a-z- A-Z_)
    if printenv "${variable}_START_CMD" >/dev/null; then
      refuse "${variable}_START_CMD is set, but keg is started already, once for all of its plugins: unset it"
    fi
    plugins=$(with "$plugins" "$name")
    servers=$(with "$servers" "$name")
    export "${variable}_SOCKET=$KEG_SOCKET" "${variable}_QUERY_CMD=$keg plugin dump $name"
  done
  export KEG_SOCKET KONG_PLUGINS="$plugins" KONG_PLUGINSERVER_NAMES="$servers"

  # Without a word on the database there is none, and a file is the configuration.
  : "${KONG_DATABASE:=off}"
  export KONG_DATABASE
  if [ "$KONG_DATABASE" = off ] && [ -z "${KONG_DECLARATIVE_CONFIG:-}${KONG_DECLARATIVE_CONFIG_STRING:-}" ] && [ -e /etc/kong/kong.yml ]; then
    export KONG_DECLARATIVE_CONFIG=/etc/kong/kong.yml
  fi
  # A body above this size reaches the plugin as a file instead of on the socket.
  export KONG_NGINX_HTTP_CLIENT_BODY_BUFFER_SIZE="${KONG_NGINX_HTTP_CLIENT_BODY_BUFFER_SIZE:-64k}"
  # Whoever waits for Kong here must see it end.
  case ${KONG_NGINX_DAEMON:-off} in off) ;; *) refuse "KONG_NGINX_DAEMON=$KONG_NGINX_DAEMON: Kong runs in the foreground here; unset it" ;; esac
  export KONG_NGINX_DAEMON=off
  share_processors
}

# share_processors has nginx start no more workers than the container has
# processors; by itself it counts the machine's. Go counts for itself.
share_processors() {
  [ -z "${KONG_NGINX_WORKER_PROCESSES:-}${KONG_NGINX_MAIN_WORKER_PROCESSES:-}" ] || return 0
  read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max || return 0
  [ "$quota" != max ] || return 0
  export KONG_NGINX_WORKER_PROCESSES=$(((quota + period - 1) / period))
}

# keep_serving runs keg, and runs it again a second after it ended, as Kong would.
# A keg that ends before it has ever listened is not run again: its settings are
# wrong, and it has said why.
keep_serving() {
  keg='' stopping='' served=''
  trap 'stopping=yes; [ -z "$keg" ] || kill -TERM "$keg" 2>/dev/null' TERM
  while [ -z "$stopping" ]; do
    keg serve &
    keg=$!
    [ -z "$stopping" ] || kill -TERM "$keg" 2>/dev/null
    while [ -z "$served" ] && kill -0 "$keg" 2>/dev/null; do
      if [ -S "$KEG_SOCKET" ]; then served=yes; else sleep 0.1; fi
    done
    status=0
    wait "$keg" || status=$?
    [ -z "$stopping" ] || wait "$keg" 2>/dev/null # the first one was cut short by the signal
    [ -n "$served" ] || exit "$status"
    [ -n "$stopping" ] || { say "keg ended with status $status, and is started again"; sleep 1; }
  done
}

# stop lets Kong end its requests, with keg behind it. Before there is a Kong, it
# only says so.
stop() {
  stopping=yes
  [ -n "$kong" ] || return 0
  say "stopping: Kong's requests end first"
  kong quit --prefix "$prefix" --timeout "$drain" >&2 || kill -TERM "$kong" 2>/dev/null
}

serve() {
  mkdir -p "${KEG_SOCKET%/*}" || refuse "KEG_SOCKET=$KEG_SOCKET: its folder cannot be made"
  rm -f "$KEG_SOCKET"
  kong='' stopping='' status=0
  trap stop TERM INT QUIT
  keep_serving &
  keeper=$!
  until [ -S "$KEG_SOCKET" ] || [ -n "$stopping" ]; do
    kill -0 "$keeper" 2>/dev/null || { wait "$keeper"; exit; }
    sleep 0.1
  done
  if [ -z "$stopping" ]; then
    "$@" &
    kong=$!
    [ -z "$stopping" ] || stop
    wait "$kong" || status=$?
    if [ -n "$stopping" ]; then wait "$kong" 2>/dev/null; status=0; fi
  fi
  trap '' TERM INT QUIT
  kill -TERM "$keeper" 2>/dev/null
  wait "$keeper"
  exit "$status"
}

[ $# -gt 0 ] || set -- kong docker-start
[ "$1" = kong ] || exec "$@"
configure
# The image's own entrypoint reads *_FILE variables and prepares the prefix.
for own in /docker-entrypoint.sh /entrypoint.sh; do
  if [ -x "$own" ]; then set -- "$own" "$@"; break; fi
done
case " $* " in
  *" kong docker-start "* | *" kong start "*) serve "$@" ;;
  *) exec "$@" ;;
esac
