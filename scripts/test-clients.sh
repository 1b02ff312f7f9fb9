#!/bin/bash
# Tests/Clients against the release binary; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

export SWITCHYARD_BINARY=${SWITCHYARD_BINARY:-$PWD/.build/release/switchyard}
exec "$SWITCHYARD_CLIENTS/bin/python" -m pytest -q -p no:cacheprovider Tests/Clients "$@"
