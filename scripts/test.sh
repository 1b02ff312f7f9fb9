#!/bin/bash
# What `make test` runs after the bootstrap. Prints each suite's time at the end, also on failure.
set -euo pipefail
cd "$(dirname "$0")/.."

times=()
report() {
    echo "suite times:"
    printf '  %s\n' "${times[@]}"
}
trap report EXIT

# suite NAME COMMAND...
suite() {
    local name=$1 start=$SECONDS status=0
    shift
    echo "== $name"
    "$@" || status=$?
    times+=("$(printf '%5d s  %-24s %s' $((SECONDS - start)) "$name" \
        "$([ $status -eq 0 ] && echo passed || echo FAILED)")")
    return $status
}

# By product: a plain build also compiles the tools of packages that we use, protoc among them.
release() {
    local product
    for product in switchyard switchyard-load simulated-upstream routing-benchmark \
        admission-benchmark recording-benchmark; do
        swift build -c release --product "$product" $SWIFT_LINK_FLAGS
    done
}

suite "unit tests: build" swift build --product switchyardPackageTests $SWIFT_LINK_FLAGS
# Tests that talk over sockets and threads run one at a time and apart from those that compute, which
# would starve them on a small machine.
talking='^(Worker|EngineProtocol|GRPC|HTTPTransport)Tests'
suite "unit tests" swift test --skip-build $SWIFT_LINK_FLAGS --skip "$talking"
suite "unit tests: sockets" swift test --skip-build --no-parallel $SWIFT_LINK_FLAGS \
    --filter "$talking"
suite "release build" release
if [ -x scripts/test-clients.sh ]; then
    suite "clients end to end" scripts/test-clients.sh
fi
