#!/usr/bin/env bash
# Would the tests notice? Plants the faults of tests/faults/ in a copy of the sources, all in one build, each asleep until
# FUSEKIT_FAULT names it; then wakes one after the other and runs the tests that should notice it.
#   scripts/plant_faults.sh [--quick] [NAME...]
#   --quick takes 15 faults from all rooms; names take just those.
# The last line is "N of M caught". Exit code 0: all of them; 1: some survived; 2: the list is out of date, or a test
# fails without any fault. Setting up, building and running all takes an hour on two cores, --quick little once it is built.
source "$(dirname "$0")/lib.sh"
names=()
for argument in "$@"; do
  case $argument in
    --quick) names+=(--quick 15) ;;
    -*) stop "unknown argument $argument" "scripts/plant_faults.sh [--quick] [NAME...]" ;;
    *) names+=("$argument") ;;
  esac
done
need_packages python3
scripts/setup.sh
source=build/faults/source build=build/faults/build
export limit=300 # seconds for the tests of one fault: one that makes them hang is caught, too
export FUSEKIT_FAULT=none
export tests=$PWD/$build/tests/fusekit_tests

say "planting the faults in $source"
python3 scripts/plant_faults.py copy "$source"
selected=$(python3 scripts/plant_faults.py list "${names[@]}")
if [ ! -f "$build/build.ninja" ]; then
  say "configuring $build"
  # Optimized a little: the time is spent in LibTorch, and the build takes half as long.
  # shellcheck disable=SC2154 # lib.sh sets it
  cmake -S "$source" -B "$build" -G Ninja -D CMAKE_PREFIX_PATH="$PWD/$libtorch_folder" -D FUSEKIT_UNITY=ON \
    -D CMAKE_BUILD_TYPE= -D CMAKE_CXX_FLAGS="-O1 -DNDEBUG" >"$build.log" || stop "cmake failed" "see $build.log"
fi
say "building $build"
cmake --build "$build" --parallel "$(jobs_of 1600000)" --target fusekit_tests -- -k 0 >"$build.log" ||
  { tail -n 40 "$build.log" >&2 && stop "the copy with the faults does not compile" "see tests/faults/"; }

# run_tests FILTER FILE: runs them in a process of its own, up to the first that fails; its output goes to the file.
run_tests() {
  OMP_NUM_THREADS=1 timeout -k 10 "$limit" "$tests" --gtest_brief=1 --gtest_fail_fast --gtest_filter="$1" >"$2" 2>&1
}

first_failure() { sed -n 's/^\[  FAILED  \] \([^ ,]*\).*/\1/p' "$1" | head -n 1; }

# without_fault FILTER: the tests have to run, and to pass.
without_fault() {
  local output
  output=$(mktemp)
  if ! run_tests "$1" "$output" || grep -q '\[  PASSED  \] 0 tests' "$output"; then
    printf '  %s: %s\n' "$1" "$(first_failure "$output")" >&2
    tail -n 20 "$output" >&2
    return 1
  fi
  rm "$output"
}

# with_fault ROOM NAME FILTER: prints one line.
with_fault() {
  local output code=0 begin=$SECONDS verdict what
  output=$(mktemp)
  FUSEKIT_FAULT=$2 run_tests "$3" "$output" || code=$?
  verdict=caught what=$(first_failure "$output")
  [ $code -ne 124 ] || what="no end within $limit s"
  [ -n "$what" ] || what="it crashed"
  [ $code -ne 0 ] || verdict=SURVIVED what=$3
  printf '%-9s %-10s %-40s %3s s  %s\n' "$verdict" "$1" "$2" $((SECONDS - begin)) "$what"
  rm "$output"
}
export -f run_tests first_failure without_fault with_fault

jobs=$(jobs_of 1500000)
say "running the tests without a fault"
cut -f 3 <<<"$selected" | tr ':' '\n' | sort -u | xargs -d '\n' -n 1 -P "$jobs" bash -c 'without_fault "$1"' faults ||
  stop "tests fail without a fault, or a filter names none (above)"
say "running them with each fault"
results=$build.results
tr '\t' '\n' <<<"$selected" | xargs -d '\n' -n 3 -P "$jobs" bash -c 'with_fault "$@"' faults | tee "$results"
caught=$(grep -c '^caught' "$results") || true
all=$(wc -l <"$results")
echo "$caught of $all caught"
[ "$caught" -eq "$all" ]
