#!/bin/bash
# Fuzzes every parser of network bytes for SECONDS_EACH seconds (default 300), from its corpus,
# under the address sanitizer, two at a time:
#   scripts/fuzz.sh [SECONDS_EACH [TARGET...]]     targets: HTTP2 HTTP1 JSON Upstream GRPC Engine
# A finding stays in .build-fuzz/findings: it becomes a corpus file and a unit test.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-300}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(HTTP2 HTTP1 JSON Upstream GRPC Engine)

declare -A corpus=(
    [HTTP2]=Tests/HTTPTransportTests/Corpus/http2
    [HTTP1]=Tests/HTTPTransportTests/Corpus/http1
    [JSON]=Tests/InferenceAPITests/Corpus/json
    [Upstream]=Tests/InferenceAPITests/Corpus/upstream
    [GRPC]=Tests/GRPCTests/Corpus
    [Engine]=Tests/EngineProtocolTests/Corpus
)
for target in "${targets[@]}"; do
    [ -n "${corpus[$target]:-}" ] || { echo "unknown target $target" >&2; exit 2; }
done
scratch=.build-fuzz
mkdir -p "$scratch/findings" "$scratch/logs"
# Package.swift reads FUZZ. A crash must end the process: Swift's own backtracer would wait for it.
export FUZZ=1 SWIFT_BACKTRACE=enable=no

for target in "${targets[@]}"; do
    swift build -c release --scratch-path "$scratch" --product "Fuzz$target" ${SWIFT_LINK_FLAGS:-}
done

# fuzz TARGET: new inputs are collected apart, so that the committed corpus stays as small as it is.
fuzz() {
    local log=$scratch/logs/$1.log status=0
    mkdir -p "$scratch/corpus-$1"
    echo "== fuzzing $1 for $seconds s"
    "$scratch/release/Fuzz$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
        -max_len=16384 -print_final_stats=1 -artifact_prefix="$scratch/findings/$1-" \
        "$scratch/corpus-$1" "${corpus[$1]}" >"$log" 2>&1 || status=$?
    if [ $status -ne 0 ]; then
        echo "== $1: FINDING in $scratch/findings, log in $log"
        tail -n 40 "$log"
        return 1
    fi
    local coverage
    coverage=$(grep -ao 'cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1)
    echo "== $1: $(grep -a '^Done' "$log"), $coverage"
}

failed=0
while [ ${#targets[@]} -gt 0 ]; do
    running=()
    for target in "${targets[@]:0:2}"; do
        fuzz "$target" &
        running+=($!)
    done
    for process in "${running[@]}"; do wait "$process" || failed=1; done
    targets=("${targets[@]:2}")
done
[ $failed -eq 0 ] && echo "no finding"
exit $failed
