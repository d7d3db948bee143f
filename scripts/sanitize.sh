#!/usr/bin/env bash
# Builds and runs the tests with GCC's sanitizers: scripts/sanitize.sh [address|thread] [ctest's options], default both.
#   address   AddressSanitizer and UndefinedBehaviorSanitizer, the whole suite (preset asan)
#   thread    ThreadSanitizer, the tests of what starts threads: the watch over runs, bench's streams (preset tsan)
# LibTorch itself is built without them.
source "$(dirname "$0")/lib.sh"
case ${1:-} in
  address) presets=(asan) && shift ;;
  thread) presets=(tsan) && shift ;;
  "" | -*) presets=(asan tsan) ;;
  *) stop "unknown sanitizer $1" "scripts/sanitize.sh [address|thread] [ctest's options]" ;;
esac
for preset in "${presets[@]}"; do
  # ThreadSanitizer wants memory where newer kernels may put something else.
  run=()
  [ "$preset" != tsan ] || run=(setarch "$(uname -m)" --addr-no-randomize)
  tests=()
  [ "$preset" != tsan ] || tests=(-R '^Threads$')
  "${run[@]}" scripts/test.sh "$preset" "${tests[@]}" "$@"
done
