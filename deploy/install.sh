#!/bin/bash
# Copies a built tree into one folder that runs anywhere on the same kind of machine:
#   make build && sudo deploy/install.sh /usr/lib/switchyard
# bin/switchyard finds lib/ beside it. Replaces programs and libraries atomically, file by file, so
# that a running server is not disturbed.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:?usage: deploy/install.sh DIRECTORY}
[ -e .build-env ] || { echo "install: run make build first" >&2; exit 1; }
source ./.build-env
binaries=.build/release
[ -x "$binaries/switchyard" ] || { echo "install: run make build first" >&2; exit 1; }

# place MODE SOURCE TARGET
place() {
    install -m "$1" "$2" "$3.new"
    mv -f "$3.new" "$3"
}

mkdir -p "$target"/{bin,lib,models}
place 0755 "$binaries/switchyard" "$target/bin/switchyard"
# llama.cpp's libraries, and the Swift runtime's, with the names that the linker asks for.
for library in $(ldd "$binaries/switchyard" | awk '$3 ~ /^\// { print $3 }'); do
    case $library in
    */libswift* | */lib_Foundation* | */libFoundation* | */libdispatch* | */libBlocksRuntime* | \
        */lib_Internal* | */libggml* | */libllama*)
        place 0644 "$library" "$target/lib/$(basename "$library")" ;;
    esac
done
for backend in "$SWITCHYARD_LLAMA_PREFIX"/lib/libggml-*.so; do
    [ -e "$backend" ] && place 0644 "$backend" "$target/lib/$(basename "$backend")"
done
model=$target/models/$(basename "$SWITCHYARD_DEFAULT_MODEL")
[ -e "$model" ] || place 0644 "$SWITCHYARD_DEFAULT_MODEL" "$model"
for file in LICENSE NOTICE README.md; do place 0644 "$file" "$target/$file"; done
echo "installed into $target: $("$target/bin/switchyard" --version 2>/dev/null || true)"
