#!/bin/sh
# Generates Sources/EngineProto from protocols/vllm and records the hashes of both, which a test
# compares. Run it after changing a .proto file or the swift-protobuf version, then commit.
#
# Needs Debian's protobuf-compiler. The Swift plugin is built from the swift-protobuf checkout that
# the package resolves, so the generated code always fits the runtime it is compiled against.
set -eu
cd "$(dirname "$0")/.."

swift build --product protoc-gen-swift
plugin="$(swift build --show-bin-path)/protoc-gen-swift"

mkdir -p Sources/EngineProto
rm -f Sources/EngineProto/*.pb.swift
# vllm_engine.proto imports "common.proto" without a folder, hence the search path.
protoc --plugin=protoc-gen-swift="$plugin" \
    --proto_path=protocols/vllm \
    --swift_opt=Visibility=Package --swift_out=Sources/EngineProto \
    common.proto vllm_engine.proto

sha256sum protocols/vllm/*.proto Sources/EngineProto/*.pb.swift \
    > protocols/EngineProto.sha256
