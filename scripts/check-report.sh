#!/usr/bin/env bash
# Measures a simulated server for a minute, writes pages about it, and checks them in a headless
# chromium (scripts/check-report.py).
#
#     scripts/check-report.sh [DIR]      DIR keeps the pages, screenshots and PDFs
#
# Environment: PROGRAMS (.build/release), MODEL (the bootstrap's).
set -euo pipefail
cd "$(dirname "$0")/.."

programs=${PROGRAMS:-.build/release}
model=${MODEL:-${SWITCHYARD_DEFAULT_MODEL:?}}
work=${1:-$(mktemp -d)}
mkdir -p "$work"
load=$programs/switchyard-load

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

port=$(free_port) admin=$(free_port)
"$programs/switchyard" serve --port "$port" --admin-port "$admin" --model "$model" --model-name default --engine simulated \
    --slots 32 --worker-argument=--step-time --worker-argument=20000 --log-level warning \
    >"$work/server.log" 2>&1 &
server=$!
cleanup() {
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    [ -n "${kept:-}" ] || rm -rf "$work"
}
[ $# -eq 0 ] || kept=$work
trap cleanup EXIT
deadline=$((SECONDS + 60))
until curl -sf -o /dev/null --max-time 2 "http://127.0.0.1:$admin/readyz"; do
    if ! kill -0 "$server" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
        echo "check-report: the server ended, or was not ready after 60 s; its log:" >&2
        tail -n 15 "$work/server.log" >&2
        exit 1
    fi
    sleep 0.1
done

url=http://127.0.0.1:$port
common=(--url "$url" --ignore-eos --max-tokens 24 --pid "server=$server" --slo-ttft-ms 300)
cat >"$work/mix.yaml" <<YAML
target: $url
load: {poisson: 30}
duration_seconds: 12
slo: {ttft_ms: 60}
mix:
  - {name: chat, weight: 3, tenant: acme-with-a-long-name, tier: priority, output_tokens: 20}
  - {name: chat, weight: 2, tenant: free, output_tokens: 20}
  - {name: bulk, weight: 1, tenant: free, tier: batch, output_tokens: 60, ignore_eos: true}
YAML
"$load" --scenario "$work/mix.yaml" --json >"$work/mix.json"
"$load" "${common[@]}" --rate 10 --duration 12 --json >"$work/calm.json"
"$load" "${common[@]}" --rate 45 --duration 12 --json >"$work/busy.json"
"$load" find-knee "${common[@]}" --first-rate 8 --step-seconds 4 --runs-max 8 -o "$work/knee.json"
"$load" report "$work/calm.json" -o "$work/one.html" --title "One run"
"$load" report "$work"/{calm,busy,knee}.json -o "$work/all.html" --title "Two runs and their knee"
"$load" report "$work/mix.json" same="$work/mix.json" -o "$work/mix.html" --title "Tenants and tiers"
python3 scripts/check-report.py "$work/one.html" --panels 8 --keep "$work/one"
python3 scripts/check-report.py "$work/all.html" --panels 12 --keep "$work/all"
python3 scripts/check-report.py "$work/mix.html" --panels 16 --keep "$work/mix"
