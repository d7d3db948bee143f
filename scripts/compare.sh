#!/usr/bin/env bash
# For CI: is NEW.pt slower than OLD.pt?   scripts/compare.sh OLD.pt NEW.pt [flags of fusekit bench]
#   Both are timed interleaved in the same job, so neither a quiet machine nor a stored baseline is needed.
#   Prints Markdown for a pull request's comment. Exit 1: slower by more than --max-regression (default 3 %), beyond
#   doubt; 2: something is wrong with the call or the files.
here=$PWD
source "$(dirname "$0")/lib.sh"
[ $# -ge 2 ] || stop "two files are needed" "scripts/compare.sh OLD.pt NEW.pt --input_dims \"1,3,224,224\""
[ -x "build/$(default_preset)/fusekit" ] || scripts/build.sh >&2
fusekit=$PWD/build/$(default_preset)/fusekit
old=$1 new=$2
shift 2
cd "$here"
exec "$fusekit" bench "$new" --baseline-model "$old" --markdown "$@"
