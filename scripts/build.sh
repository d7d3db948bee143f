#!/usr/bin/env bash
# Sets up, configures and builds: scripts/build.sh [preset] [target...]. The presets are release, dev, asan and debian
# (CMakePresets.json); without one, or with "", it is release, or debian where set-up had to take the distribution's
# LibTorch. The program is build/<preset>/fusekit.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh "${1:-}"
preset=${1:-$(default_preset)}
build=build/$preset
if [ ! -f "$build/build.ninja" ] || [ CMakePresets.json -nt "$build/build.ninja" ]; then
  say "configuring $build"
  unity=${FUSEKIT_UNITY:-ON}  # OFF: a change in one file builds faster, everything takes twice as long
  [ ! -f "$build/CMakeCache.txt" ] || unity=
  cmake --preset "$preset" ${unity:+-D FUSEKIT_UNITY="$unity"}
fi
say "building $build"
cmake --build "$build" --parallel "$(jobs_of 1600000)" ${2:+--target "${@:2}"}
