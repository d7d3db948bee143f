#!/usr/bin/env bash
# Is an output always the old file or the new one, never a third thing, whatever happens while it is written? Disturbs
# `fuse`, `quantize`, `tune`, `bench` and what they write in five ways, and looks at every file afterwards.
#   scripts/write_under_fire.sh [--count N] [--seed S] [-o DIR] [SERIES...], default all series in a folder of its own
#   that goes away; FUSEKIT as in scripts/check_zoo.sh.
#   kill    1000 runs get SIGKILL, SIGTERM, SIGINT or SIGHUP at a random moment, or die at a certain system call; a run
#           after that has to succeed and to clear away what was left. Takes a quarter to half an hour.
#   full    200 runs on a disk, or with a limit on a file's size, that ends at a random byte. Takes three to ten minutes.
#   two     50 pairs of runs write one output at the same time
#   places  outputs that can't be written or are unusual: folders, pipes, links, names, file systems, permissions
#   same    the same input and options give the same bytes, whatever the name, time, threads and environment
# Prints a Markdown table, then each fault with its call and what was found; exit 1 where there are any. Root shows
# more: what is left out without it is said under the table.
source "$(dirname "$0")/lib.sh"
options=()
work=
while [ $# -gt 0 ]; do
  case $1 in
    --count | --seed | -o | --output)
      [ $# -gt 1 ] || stop "$1 needs a value"
      case $1 in
        -o | --output) work=$2 ;;
        *) options+=("$1" "$2") ;;
      esac
      shift
      ;;
    -*) stop "unknown option $1" "scripts/write_under_fire.sh [--count N] [--seed S] [-o DIR] [SERIES...]" ;;
    *) options+=("$1") ;;
  esac
  shift
done
need_packages python3
[ -n "${FUSEKIT:-}" ] || scripts/build.sh "" fusekit >&2
fusekit=${FUSEKIT:-build/$(default_preset)/fusekit}

# No disk stays mounted and no folder is left, however this ends.
clean_up() {
  local place
  awk '$1 == "write-under-fire" { print $2 }' /proc/mounts | while read -r place; do
    case $place in "$root"/*) umount --lazy "$place" || true ;; esac
  done
  [ -n "$work" ] || rm -rf "$root"
}
[ -z "$work" ] || mkdir -p "$work"
root=$(realpath "${work:-$(mktemp -d)}")
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
python3 -B scripts/write_under_fire.py --program "$fusekit" --work "$root" "${options[@]}"
