# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by scripts that want the juku example going: PostgreSQL, pupils at work, Biwa beside them.
#   start_example DIR LISTEN RATE   goes on with what DIR holds; sets `address`
#   wait_for_example                returns when one of them ends by itself
#   stop_example                    stops all that start_example started, and nothing else
# The caller sets `trap stop_example EXIT` first, and `name` for messages.

example_pids=()
example_dir=

fail() {
    echo "$name: $1" >&2
    exit 1
}

# start_logged LOG COMMAND…
start_logged() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null &
    example_pids+=($!)
}

fail_with_log() {
    tail -n 20 "$2" >&2
    fail "$1 (all of it: $2)"
}

start_example() {
    local listen=$2 rate=$3 biwa_log=$1/biwa.log settings
    example_dir=$1
    mkdir -p "$example_dir/project"
    # Files changed by hand stay as they are until the example itself is newer.
    cp -ru examples/juku/project/. "$example_dir/project/"

    settings=$(scripts/postgres start "$example_dir/postgres") || fail "PostgreSQL did not start"
    eval "$settings"
    if [ -z "$(psql -d juku -Atqc "SELECT to_regclass('public.answers')" 2>/dev/null)" ]; then
        build/release/juku load --answers 200000 >"$example_dir/load.log" 2>&1 ||
            fail_with_log "the example's data could not be loaded" "$example_dir/load.log"
    fi
    start_logged "$example_dir/live.log" build/release/juku live --rate "$rate"
    start_logged "$biwa_log" build/release/biwa --project "$example_dir/project" up --listen "$listen"
    local biwa=${example_pids[-1]} server=$example_dir/project/.biwa/server.json
    local deadline=$((SECONDS + 60))
    until [ -f "$server" ] && grep -q "\"pid\":${biwa}[,}]" "$server"; do
        kill -0 "$biwa" 2>/dev/null || fail_with_log "Biwa did not start" "$biwa_log"
        [ $SECONDS -lt $deadline ] || fail_with_log "Biwa is not ready after a minute" "$biwa_log"
        sleep 0.1
    done
    address=$(sed 's/.*"address":"\([^"]*\)".*/\1/' "$server")
}

wait_for_example() { wait -n "${example_pids[@]}" || true; }

stop_example() {
    trap '' INT TERM
    local pid
    for pid in "${example_pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${example_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    [ ! -d "$example_dir/postgres" ] || scripts/postgres stop "$example_dir/postgres"
}
