#!/usr/bin/env bash
# Is any int8 file of the zoo slower than its original where a program just loads it? Each file is quantized (16 random
# samples) and timed against the original, in turns, under the engine that a process has that chooses none.
#   scripts/check_plain_load.sh [-o DIR] [--max-time SECONDS] [NAME...], default everything in .zoo/ (scripts/make_zoo.sh
#   makes it) and 10 s a comparison; FUSEKIT as in scripts/check_zoo.sh.
# Prints a Markdown table; exit 1 where an int8 file is slower beyond doubt.
source "$(dirname "$0")/lib.sh"
zoo=.zoo
seconds=10
names=()
while [ $# -gt 0 ]; do
  case $1 in
    -o | --output | --max-time)
      [ $# -gt 1 ] || stop "$1 needs a value"
      [ "$1" = --max-time ] && seconds=$2 || zoo=$2
      shift
      ;;
    -*) stop "unknown option $1" "scripts/check_plain_load.sh [-o DIR] [--max-time SECONDS] [NAME...]" ;;
    *) names+=("$1") ;;
  esac
  shift
done
[ -n "${FUSEKIT:-}" ] || scripts/build.sh "" fusekit fusekit_vision >&2
fusekit=${FUSEKIT:-build/$(default_preset)/fusekit}
library=()
[ ! -f "$(dirname "$fusekit")/libfusekit_vision.so" ] || library=(--library "$(dirname "$fusekit")/libfusekit_vision.so")
scripts/make_zoo.sh -o "$zoo" "${names[@]}" >&2
engine=$("$fusekit" doctor --json | sed -n 's/.*(default \([a-z0-9]*\)).*/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wanted() { [ ${#names[@]} -eq 0 ] || [[ " ${names[*]} " == *" ${1%%.*} "* ]]; }

printf '%s, one thread, engine %s\n\n| file | original ms | int8 ms | speed, 95 %% interval |\n|---|---|---|---|\n' \
  "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$engine"
slower=0
while IFS=$'\t' read -r file dims types; do
  wanted "$file" || continue
  inputs=(--input_dims "$dims" --input_type "$types")
  if ! "$fusekit" quantize "$zoo/$file" -o "$work/$file" --random-calibration 16 --threads 1 "${inputs[@]}" "${library[@]}" \
    >"$work/log" 2>&1; then
    printf '| %s | | | not written: %s |\n' "$file" "$(grep -m 1 '^error' "$work/log" || tail -n 1 "$work/log")"
    continue
  fi
  "$fusekit" bench "$zoo/$file" "$work/$file" --engine "$engine" --threads 1 --max-time "$seconds" --json -q "${inputs[@]}" \
    "${library[@]}" 2>"$work/log" >"$work/report.json" || { printf '| %s | | | not timed: %s |\n' "$file" "$(tail -n 1 "$work/log")"; continue; }
  python3 - "$file" "$work/report.json" <<'END' || slower=$((slower + 1))
import json, sys
report = json.load(open(sys.argv[2]))
a, b = report["outcomes"]
ratio = report["ratios"][0]
low, high = ratio["interval"]
print(f"| {sys.argv[1]} | {a['median_us'] / 1e3:.2f} | {b['median_us'] / 1e3:.2f} | {ratio['ratio']:.2f}x ({low:.2f} to {high:.2f}) |", flush=True)
sys.exit(ratio["verdict"] == "slower")
END
  rm -f "$work/$file"
done <"$zoo/zoo.tsv"
printf '\n%s slower than the original\n' "$slower"
[ "$slower" -eq 0 ]
