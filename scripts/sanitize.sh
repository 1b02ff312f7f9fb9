#!/bin/bash
# Runs the tests of everything that calls C under the address sanitizer: HTTPTransport (nghttp2,
# llhttp), Compression (zlib), Tokenization and LlamaEngine (llama.cpp).
#   scripts/sanitize.sh [ARGUMENTS OF swift test...]
set -euo pipefail
cd "$(dirname "$0")/.."

# Package.swift reads SANITIZE. Leaks are not looked for here: Swift hides pointers in spare bits
# and process-wide objects live for ever. The fuzzers, whose inputs leave nothing behind, do it.
export SANITIZE=1 SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0

# The skipped test bounds a time, which the sanitizer multiplies.
swift test --scratch-path .build-asan ${SWIFT_LINK_FLAGS:-} --no-parallel \
    --skip longRunsAreTokenizedInTime "$@"
