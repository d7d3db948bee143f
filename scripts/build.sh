#!/usr/bin/env bash
# Configures and builds: scripts/build.sh [preset], default release. The program is build/<preset>/fusekit.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset"
cmake --build --preset "$preset"
