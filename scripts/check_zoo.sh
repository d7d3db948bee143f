#!/usr/bin/env bash
# Fuses every file of the zoo and has plain Python judge the result (tests/python/check_fused.py).
#   scripts/check_zoo.sh [-o DIR] [NAME...], default everything in .zoo/, which scripts/make_zoo.sh makes.
#   FUSEKIT_PYTHON is the Python that judges (default Debian's, with torch 1.13); FUSEKIT is the program
#   (default: what scripts/build.sh leaves, which is called first).
#   --mobile: as files for phones instead (--for mobile --lite), judged in Python's mobile interpreter
#   (tests/python/check_mobile.py).
# Prints a line for each file; exit 1 where one fails.
source "$(dirname "$0")/lib.sh"
zoo=.zoo
mobile=()
judge=tests/python/check_fused.py
if [ "${1:-}" = --mobile ]; then
  mobile=(--for mobile --lite)
  judge=tests/python/check_mobile.py
  shift
fi
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
[ -n "${FUSEKIT:-}" ] || scripts/build.sh "" fusekit fusekit_vision >&2
fusekit=${FUSEKIT:-build/$(default_preset)/fusekit}
library=() # for torchvision's detection networks
[ ! -f "$(dirname "$fusekit")/libfusekit_vision.so" ] || library=(--library "$(dirname "$fusekit")/libfusekit_vision.so")
scripts/make_zoo.sh "${arguments[@]}" >&2
find_python_with_torch

wanted() { [ ${#names[@]} -eq 0 ] || [[ " ${names[*]} " == *" ${1%%.*} "* ]]; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 total=0
while IFS=$'\t' read -r file dims types; do
  wanted "$file" || continue
  inputs=(--input-dims "$dims" --input-type "$types")
  if fused=$("$fusekit" fuse "$zoo/$file" -o "$work/$file" "${inputs[@]}" "${library[@]}" "${mobile[@]}" 2>&1); then
    found=$("$python" -W ignore "$judge" "$zoo/$file" "$work/$file" --dims "$dims" --type "$types" \
      "${library[@]}" 2>&1) || failed=$((failed + 1))
    fused=$(head -n 1 <<<"$fused")
    printf '%-31s %s; %s\n' "$file" "$found" "${fused#*: }"
  else
    failed=$((failed + 1))
    printf '%-31s failed: %s\n' "$file" "$fused"
  fi
  total=$((total + 1))
  rm -f "$work/$file"
done <"$zoo/zoo.tsv"
echo "$((total - failed)) of $total files passed"
[ "$failed" -eq 0 ] && [ "$total" -gt 0 ]
