#!/usr/bin/env bash
# How often `fusekit bench` cries wolf, and what it finds: a file against its own copy, and against one that does a known
# 1, 2 and 5 % more, N times each, quiet and beside a busy neighbour; the same times judged as other tools do.
#   scripts/bench_false_alarms.sh [--runs 200] [--max-time 20] [--slower 0,1,2,5] [--neighbour no,yes] [--rows FILE]
#   Prints a Markdown table. --rows keeps every run, so that a stopped series goes on where it was; the default series
#   takes about nine hours. Needs a Python with torch for the files: Debian's, or FUSEKIT_PYTHON.
here=$PWD
source "$(dirname "$0")/lib.sh"
find_python_with_torch
program=${FUSEKIT_PROGRAM:-$PWD/build/$(default_preset)/fusekit}
[ -x "$program" ] || stop "'$program' is not there" "scripts/build.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for share in 0 1 2 5; do
  "$python" -W ignore models/loop.py "$work/$share.pt" --turns $((400 + 4 * share))
done
cp "$work/0.pt" "$work/base.pt"
script=$PWD/scripts/bench_false_alarms.py
cd "$here"
python3 "$script" --fusekit "$program" --models "$work" "$@"
