#!/usr/bin/env bash
# What has to hold before a change lands: format, rooms, clang-tidy, tests.
#   scripts/check.sh [--all] [--no-tidy] [--fix]
#   clang-tidy reads a file again only after the file or a header that it includes has changed; --all reads every file.
#   --fix formats the files in place first.
source "$(dirname "$0")/lib.sh"
all=false tidy=true fix=false
for argument in "$@"; do
  case $argument in
    --all) all=true ;;
    --no-tidy) tidy=false ;;
    --fix) fix=true ;;
    *) stop "unknown argument $argument" "scripts/check.sh [--all] [--no-tidy] [--fix]" ;;
  esac
done
need_packages clang-format clang-tidy
scripts/setup.sh release

mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.h')
say "format of ${#files[@]} files"
$fix && clang-format -i "${files[@]}"
clang-format --dry-run --Werror "${files[@]}" || stop "not formatted as .clang-format says" "scripts/check.sh --fix"

say "rooms"
scripts/check_rooms.sh || stop "a room uses what it may not use" "see the table in scripts/check_rooms.sh"

# Clang can't read GCC's precompiled headers, so clang-tidy gets a build folder of its own that has none and is never
# built; the headers that the build precompiles are then included as text.
tidy_build=build/tidy
stamps=$tidy_build/clean

configure_tidy() {
  cmake -S . -B "$tidy_build" -G Ninja -D "CMAKE_PREFIX_PATH=$PWD/$libtorch_folder" -D CMAKE_CXX_COMPILER_LAUNCHER= \
    -D CMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null 2>&1 || stop "cmake can't configure $tidy_build"
}

# needs_tidy FILE: true where the file, a header of ours that it names, or the configuration is newer than its stamp.
needs_tidy() {
  local stamp=$stamps/$1.stamp header
  [ -f "$stamp" ] && [ ! "$1" -nt "$stamp" ] && [ ! .clang-tidy -nt "$stamp" ] || return 0
  while read -r header; do
    for header in "src/$header" "include/$header" "tests/$header"; do
      [ ! "$header" -nt "$stamp" ] || return 0
    done
  done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$1")
  return 1
}

tidy_file() {
  local precompiled=()
  [[ $1 == src/cli/* ]] || precompiled=(--extra-arg-before=-include --extra-arg-before="$PWD/src/torch_pch.h")
  printf '  %s\n' "$1" >&2
  clang-tidy -p "$tidy_build" --quiet "${precompiled[@]}" "$1" 2> >(grep -v 'warnings generated' >&2 || true) || return 1
  mkdir -p "$stamps/$(dirname "$1")"
  touch "$stamps/$1.stamp"
}

if $tidy; then
  $all && rm -rf "$stamps"
  configure_tidy
  todo=()
  for file in "${files[@]}"; do
    [[ $file == *.cpp && $file != tests/install/* ]] && needs_tidy "$file" && todo+=("$file")
  done
  say "clang-tidy on ${#todo[@]} files"
  export -f tidy_file
  export tidy_build stamps
  printf '%s\0' "${todo[@]}" | xargs -0 -r -n 1 -P "$(nproc)" bash -c 'tidy_file "$1"' tidy ||
    stop "clang-tidy objects (above)"
fi

exec scripts/test.sh
