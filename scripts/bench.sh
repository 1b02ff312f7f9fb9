#!/bin/bash
# Measures `switchyard serve` side by side with llama-server and llama-batched-bench on the same
# model, threads and slots, and the gateway alone with nghttpd beside it. About 11 minutes on 2
# cores. Needs a release build and what `deploy/bootstrap.sh --with-peers` makes (`make bench`).
#
#   scripts/bench.sh [--threads N] [--slots N] [--rounds N] [--only engine|gateway] [--quick]
#                    [--programs DIR] [--peer-argument ARG]... [--serve-argument ARG]...
#                    [--keep DIR] [--save NAME]
#     --threads N           engine threads of every program (2)
#     --slots N             sequences at once (16)
#     --rounds N            interleaved rounds, of which medians are shown (3)
#     --only PART           engine: with the real model; gateway: with a simulated engine
#     --quick               a third of the requests: to see that everything works
#     --peer-argument ARG   a further argument for llama-server
#     --serve-argument ARG  a further argument for `switchyard serve`
#     --programs DIR        switchyard and switchyard-load lie there (.build/release)
#     --keep DIR            keep the raw results and logs there
#     --save NAME           also write loadtest/results/<date>-NAME.txt
set -euo pipefail
cd "$(dirname "$0")/.."

threads=2 slots=16 rounds=3 only=all quick=false save= keep= bin=.build/release
peer_arguments=() serve_arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    --threads) threads=$2; shift ;;
    --slots) slots=$2; shift ;;
    --rounds) rounds=$2; shift ;;
    --only) only=$2; shift ;;
    --quick) quick=true ;;
    --peer-argument) peer_arguments+=("$2"); shift ;;
    --serve-argument) serve_arguments+=("$2"); shift ;;
    --programs) bin=$2; shift ;;
    --keep) keep=$2; shift ;;
    --save) save=$2; shift ;;
    *) echo "bench: unknown option $1" >&2; exit 2 ;;
    esac
    shift
done

model=${SWITCHYARD_DEFAULT_MODEL:?source .build-env first, or run make bench}
peers=${SWITCHYARD_LLAMA_PREFIX:?}/bin
switchyard=$bin/switchyard
load=$bin/switchyard-load
needed=("$switchyard" "$load")
[ "$only" = gateway ] || needed+=("$peers/llama-server" "$peers/llama-batched-bench")
for program in "${needed[@]}"; do
    [ -x "$program" ] || { echo "bench: no $program; run make bench" >&2; exit 1; }
done

# Enough for the long prompt and its template; the same for both servers.
context_per_slot=2560
context=$((context_per_slot * slots))
prompt_tokens=100 answer_tokens=128 probe_tokens=2000
scale=3
$quick && scale=1

if [ -n "$keep" ]; then mkdir -p "$keep"; work=$(realpath "$keep"); else work=$(mktemp -d); fi
pids=()
cleanup() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    [ -n "$keep" ] || rm -rf "$work"
}
trap cleanup EXIT

say() { echo "bench: $*" >&2; }

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# start NAME COMMAND...: runs a server in the background; its pid is in $started.
start() {
    local name=$1
    shift
    "$@" >"$work/$name.log" 2>&1 &
    started=$!
    pids+=("$started")
}

# await NAME PID URL [CURL-OPTION]: until the server answers 200.
await() {
    local tries
    for tries in $(seq 600); do
        [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 2 ${4:+"$4"} "$3")" = 200 ] && return
        kill -0 "$2" 2>/dev/null || break
        sleep 0.1
    done
    echo "bench: $1 did not come up; its log ends with:" >&2
    tail -n 15 "$work/$1.log" >&2
    exit 1
}

# stop PID
stop() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# start_serve NAME ARGUMENT...: sets $serve_port, $admin_port, $metrics_port, $gateway, $worker.
start_serve() {
    local name=$1
    shift
    serve_port=$(free_port) admin_port=$(free_port) metrics_port=$(free_port)
    start "$name" "$switchyard" serve --port "$serve_port" --admin-port "$admin_port" \
        --model "$model" --model-name bench --threads "$threads" --log-level warning \
        --worker-argument=--metrics-listen --worker-argument="127.0.0.1:$metrics_port" \
        "$@" "${serve_arguments[@]}"
    gateway=$started
    await "$name" "$gateway" "http://127.0.0.1:$admin_port/readyz"
    worker=$(pgrep -P "$gateway" | head -n 1)
}

# drive OUTPUT URL ARGUMENT...: one run of the load generator.
drive() {
    local output=$1 url=$2
    shift 2
    timeout 300 "$load" --url "$url" --model bench --json --timeout-seconds 240 "$@" \
        >"$work/$output.json" || say "the load generator failed: $output"
}

# cpu PID: user and system seconds so far.
cpu() {
    sed 's/.*) //' "/proc/$1/stat" | awk -v tick="$(getconf CLK_TCK)" '{ print ($12 + $13) / tick }'
}

# --- With the real model -------------------------------------------------------------------------

# chat SERVER URL ROUND: 1, 4 and 16 clients. Both servers get the same prompts; each round others.
chat() {
    local server=$1 url=$2 round=$3 clients requests
    for clients in 1 4 16; do
        case $clients in
        1) requests=$scale ;;
        4) requests=$((4 * scale)) ;;
        16) requests=$((16 * (scale > 1 ? 2 : 1))) ;;
        esac
        [ "$server" = switchyard ] && [ "$clients" = 16 ] &&
            curl -s "http://127.0.0.1:$metrics_port/metrics" >"$work/worker-before-$round.prom"
        drive "chat-$server-$clients-$round" "$url" --protocol h1 --concurrency "$clients" \
            --requests "$requests" --prompt-tokens $prompt_tokens --max-tokens $answer_tokens \
            --ignore-eos --seed "$round$clients"
        [ "$server" = switchyard ] && [ "$clients" = 16 ] &&
            curl -s "http://127.0.0.1:$metrics_port/metrics" >"$work/worker-after-$round.prom"
    done
    return 0
}

# probe SERVER URL ROUND: long prompts arrive while all other slots stream.
probe() {
    drive "probe-$1-$3" "$2" --protocol h1 --concurrency $((slots - 1)) \
        --duration $((8 + 5 * scale)) --prompt-tokens $prompt_tokens --max-tokens 1024 \
        --ignore-eos --seed "${3}7" \
        --probe-prompt-tokens $probe_tokens --probe-at-seconds 4 --probe-count 2
}

engine_part() {
    local port round server
    start_serve switchyard --slots "$slots" --context "$context"
    port=$(free_port)
    start llama-server "$peers/llama-server" --model "$model" --alias bench --host 127.0.0.1 \
        --port "$port" --parallel "$slots" --ctx-size "$context" --threads "$threads" \
        --threads-batch "$threads" --no-webui "${peer_arguments[@]}"
    local llama=$started
    await llama-server "$llama" "http://127.0.0.1:$port/health"

    local ours="http://127.0.0.1:$serve_port" theirs="http://127.0.0.1:$port"
    for server in switchyard:$ours llama-server:$theirs; do
        drive "warm-${server%%:*}" "${server#*:}" --protocol h1 --concurrency 4 --requests 4 \
            --max-tokens 16 --prompt-tokens 20 --seed 999
    done
    for round in $(seq "$rounds"); do
        say "round $round of $rounds: 1, 4, 16 clients; long prompts; engine ceiling"
        # The order alternates, so that drift of the machine favours nobody.
        if [ $((round % 2)) = 1 ]; then
            chat switchyard "$ours" "$round"; chat llama-server "$theirs" "$round"
            probe switchyard "$ours" "$round"; probe llama-server "$theirs" "$round"
        else
            chat llama-server "$theirs" "$round"; chat switchyard "$ours" "$round"
            probe llama-server "$theirs" "$round"; probe switchyard "$ours" "$round"
        fi
        timeout 300 "$peers/llama-batched-bench" --model "$model" --threads "$threads" \
            --threads-batch "$threads" --ctx-size $((slots * 512)) -npp 128 -ntg $answer_tokens \
            -npl 1,4,16 --output-format jsonl 2>"$work/batched-bench.log" |
            grep '^{' >"$work/batched-bench-$round.jsonl" ||
            say "llama-batched-bench failed; see its log"
    done
    stop "$gateway"
    stop "$llama"
}

# --- The gateway alone ---------------------------------------------------------------------------

# small NAME PID URL ROUND: GET requests, many in flight; writes requests and CPU seconds.
small() {
    local requests=$((40000 * scale)) before after succeeded
    before=$(cpu "$2")
    h2load -n "$requests" -c 4 -m 32 "$3" >"$work/h2load-$1-$4.txt"
    after=$(cpu "$2")
    succeeded=$(sed -n 's/^requests:.* \([0-9]*\) succeeded.*/\1/p' "$work/h2load-$1-$4.txt")
    echo "$succeeded $before $after" >"$work/small-$1-$4.txt"
}

gateway_part() {
    local round root=$work/www nghttpd url file_port
    # A token that a client sees is the cost to learn, so answers are long: the prompts' templates
    # and tokens cost as much as 100 of them.
    start_serve simulated --engine simulated --slots 256 --context 294912 \
        --worker-argument=--step-time --worker-argument=at-will
    url=http://127.0.0.1:$serve_port
    mkdir -p "$root"
    curl -s "$url/v1/models" >"$root/models"
    file_port=$(free_port)
    start nghttpd nghttpd --no-tls --address=127.0.0.1 --htdocs="$root" "$file_port"
    nghttpd=$started
    await nghttpd "$nghttpd" "http://127.0.0.1:$file_port/models" --http2-prior-knowledge
    drive warm-simulated "$url" --concurrency 16 --requests 64 --max-tokens 16
    for round in $(seq "$rounds"); do
        say "round $round of $rounds: the gateway alone"
        small switchyard "$gateway" "$url/v1/models" "$round"
        small nghttpd "$nghttpd" "http://127.0.0.1:$file_port/models" "$round"
        drive "one-token-$round" "$url" --concurrency 64 --connections 4 \
            --requests $((2000 * scale)) --max-tokens 1 --prompt-tokens 20 --seed "$round" \
            --pid "gateway=$gateway" --pid "worker=$worker"
        drive "streams-$round" "$url" --concurrency 256 --connections 4 \
            --requests $((scale > 1 ? 512 : 256)) --max-tokens 1024 --ignore-eos \
            --prompt-tokens 20 --seed "$round" \
            --pid "gateway=$gateway" --pid "worker=$worker"
    done
    stop "$gateway"
    stop "$nghttpd"
}

started_at=$(date -u +%FT%TZ)
load_before=$(cut -d' ' -f1 /proc/loadavg)
[ "$only" = gateway ] || engine_part
[ "$only" = engine ] || gateway_part

report() {
    local commit
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    echo "switchyard bench, $started_at, commit $commit"
    echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores," \
        "load average at the start $load_before"
    echo "settings: $(basename "$model"), $threads threads, $slots slots of" \
        "$context_per_slot tokens, prompts of $prompt_tokens words, $answer_tokens tokens out," \
        "temperature 0, $rounds rounds"
    awk -v load="$load_before" 'BEGIN { exit !(load > 1) }' &&
        echo "WARNING: the machine was busy with something else; do not trust these figures"
    python3 scripts/bench-report.py "$work"
}

report | tee "$work/report.txt"
if [ -n "$save" ]; then
    mkdir -p loadtest/results
    cp "$work/report.txt" "loadtest/results/$(date -u +%F)-$save.txt"
    say "saved as loadtest/results/$(date -u +%F)-$save.txt"
fi
