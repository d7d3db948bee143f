#!/usr/bin/env bash
# Sets up, builds and runs all tests: scripts/test.sh [preset] [ctest's options], default release.
source "$(dirname "$0")/lib.sh"
preset=${1:-release}
scripts/build.sh "$preset"
say "testing build/$preset"
exec ctest --preset "$preset" --parallel "$(jobs_of 1000000)" "${@:2}"
