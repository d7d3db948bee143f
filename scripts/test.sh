#!/usr/bin/env bash
# Sets up, builds and runs all tests: scripts/test.sh [preset] [ctest's options]; without a preset, as scripts/build.sh.
source "$(dirname "$0")/lib.sh"
scripts/build.sh "${1:-}"
preset=${1:-$(default_preset)}
say "testing build/$preset"
exec ctest --preset "$preset" --parallel "$(jobs_of 1000000)" "${@:2}"
