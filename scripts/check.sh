#!/usr/bin/env bash
# What has to hold before a change lands: format, rooms, clang-tidy, tests.
#   scripts/check.sh [--all] [--no-tidy] [--fix]
#   clang-tidy reads files again only after one of them or a header that they include has changed; --all reads them all.
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
scripts/setup.sh

files=()
while read -r file; do
  [ ! -f "$file" ] || files+=("$file") # git still lists what was removed
done < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.h')
say "format of ${#files[@]} files"
$fix && clang-format -i "${files[@]}"
clang-format --dry-run --Werror "${files[@]}" || stop "not formatted as .clang-format says" "scripts/check.sh --fix"

say "rooms"
scripts/check_rooms.sh || stop "the rules of the rooms are broken" "see the beginning of scripts/check_rooms.sh"

# Clang can't read GCC's precompiled headers, so clang-tidy gets a build folder of its own that has none and is never
# built; the headers that the build precompiles are then included as text. It reads many files at a time, as the build
# compiles them: reading LibTorch's headers takes 20 s, once for all of a batch.
tidy_build=build/tidy
stamps=$tidy_build/clean

configure_tidy() {
  cmake -S . -B "$tidy_build" -G Ninja -D "CMAKE_PREFIX_PATH=$PWD/$libtorch_folder" -D CMAKE_CXX_COMPILER_LAUNCHER= \
    -D CMAKE_DISABLE_PRECOMPILE_HEADERS=ON -D FUSEKIT_UNITY=ON >/dev/null 2>&1 ||
    stop "cmake can't configure $tidy_build"
}

# files_of BATCH: the files of ours that one compilation takes in.
files_of() {
  case $1 in
    */Unity/*) sed -n 's/^#include "\(.*\)"$/\1/p' "$1" ;;
    *) printf '%s\n' "$1" ;;
  esac
}

# needs_tidy BATCH: true where a file, a header of ours that it names, or the configuration is newer than the stamp.
needs_tidy() {
  local stamp=$stamps/${1//\//_} file header
  [ -f "$stamp" ] && [ ! "$1" -nt "$stamp" ] && [ ! .clang-tidy -nt "$stamp" ] || return 0
  while read -r file; do
    [ ! "$file" -nt "$stamp" ] || return 0
    while read -r header; do
      for header in "src/$header" "include/$header" "tests/$header" "$header"; do
        [ ! "$header" -nt "$stamp" ] || return 0
      done
    done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$file")
  done < <(files_of "$1")
  return 1
}

tidy_batch() {
  local precompiled=()
  [[ $1 == *fusekit_cli* ]] || precompiled=(--extra-arg-before=-include --extra-arg-before="$PWD/src/torch_pch.h")
  printf '  %s (%s files)\n' "${1#"$PWD/"}" "$(files_of "$1" | wc -l)" >&2
  clang-tidy -p "$tidy_build" --quiet "${precompiled[@]}" "$1" 2> >(grep -v 'warnings generated' >&2 || true) || return 1
  mkdir -p "$stamps"
  touch "$stamps/${1//\//_}"
}

if $tidy; then
  $all && rm -rf "$stamps"
  configure_tidy
  todo=()
  while read -r batch; do
    [ ! -f "$batch" ] || ! needs_tidy "$batch" || todo+=("$batch") # a file that the build makes is not there
  done < <(sed -n 's/^ *"file": "\(.*\)".*/\1/p' "$tidy_build/compile_commands.json")
  say "clang-tidy on ${#todo[@]} batches of files"
  export -f tidy_batch files_of
  export tidy_build stamps
  printf '%s\0' "${todo[@]}" | xargs -0 -r -n 1 -P "$(jobs_of 1500000)" bash -c 'tidy_batch "$1"' tidy ||
    stop "clang-tidy objects (above)"
fi

exec scripts/test.sh
