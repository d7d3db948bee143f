#!/usr/bin/env bash
# Fuses every file of the zoo and has plain Python judge the result (tests/python/check_fused.py).
#   scripts/check_zoo.sh [-o DIR] [NAME...], default everything in .zoo/, which scripts/make_zoo.sh makes.
#   FUSEKIT_PYTHON is the Python that judges (default Debian's, with torch 1.13); PRESET the build (default release).
# Prints a line for each file; exit 1 where one fails.
source "$(dirname "$0")/lib.sh"
zoo=.zoo
arguments=("$@")
names=()
while [ $# -gt 0 ]; do
  case $1 in
    -o | --output)
      [ $# -gt 1 ] || stop "$1 needs a folder"
      zoo=$2
      shift
      ;;
    *) names+=("$1") ;;
  esac
  shift
done
preset=${PRESET:-release}
scripts/build.sh "$preset" fusekit >&2
scripts/make_zoo.sh "${arguments[@]}" >&2
find_python_with_torch

wanted() { [ ${#names[@]} -eq 0 ] || [[ " ${names[*]} " == *" ${1%%.*} "* ]]; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 passed=0
while IFS=$'\t' read -r file dims; do
  wanted "$file" || continue
  if found=$("build/$preset/fusekit" fuse "$zoo/$file" -o "$work/$file" --input-dims "$dims" --quiet 2>&1) &&
    found=$("$python" -W ignore tests/python/check_fused.py "$zoo/$file" "$work/$file" --dims "$dims" 2>&1); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
  printf '%-32s %s\n' "$file" "$found"
  rm -f "$work/$file"
done <"$zoo/zoo.tsv"
echo "$passed files passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
