#!/usr/bin/env bash
# Can anything that a file holds hurt FuseKit? Puts damaged and malicious TorchScript files through its commands, and
# checks that each ends with an exit code of its own, in time, within its memory, and leaves no file but its output.
#   scripts/hostile_files.sh [mutated] [flips] [evil] [--count N] [--seed S] [--jobs N] [--keep DIR] [--only NAME]
#     [--patience X] [--verbose] [FILE...], default all three parts. It runs FuseKit in a fork server, whose runs take
#     0.05 s in place of 0.5 s (tests/hostile/fork_server.cpp), or where FUSEKIT names a program, that one.
#   mutated: N changed copies (default 300) of honest files, and of each FILE. flips: 200 flipped bits of weights.
#     --patience: how many times as long as on a quiet machine a run may take.
#   evil: models that are written to do harm (`--only NAME,...`: those whose name holds a NAME).
# Prints Markdown tables; exit 1 where there are faults. --keep DIR keeps the files that showed a fault or a crash.
here=$PWD
source "$(dirname "$0")/lib.sh"
build=$PWD/build/$(default_preset)
fusekit=${FUSEKIT:-$build/tests/fusekit_fork_server} # it is the program where it is given words
server=()
[ -n "${FUSEKIT:-}" ] || server=(--server "$fusekit")
[ -x "$fusekit" ] || stop "'$fusekit' is not there" "scripts/build.sh"
root=$PWD
cd "$here"
exec python3 "$root/scripts/hostile_files.py" --fusekit "$fusekit" "${server[@]}" --jobs "$(processors)" "$@"
