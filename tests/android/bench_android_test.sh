#!/usr/bin/env bash
# scripts/bench_android.sh against a stand-in for adb that runs the phone's commands on this machine:
#   bench_android_test.sh FUSEKIT
#   Exit 0: all is well; 1: the first thing that is not.
set -euo pipefail
export FUSEKIT_PROGRAM=$1
sources=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# The stand-in. PHONE is the phone's storage; FAILS_AT the call of `adb shell` from which on the phone is gone (or, with
# BACK_AT, until which); DEVICES what `adb devices` lists.
export PHONE=$work/phone CALLS=$work/calls FAILS_AT=0 BACK_AT=1000000 DEVICES=$'stub\tdevice'
cat >adb <<'END'
#!/usr/bin/env bash
if [ "$1" = devices ]; then
  printf 'List of devices attached\n%s\n\n' "$DEVICES"
  exit
fi
[ "$1" != -s ] || shift 2
is_gone() { [ "$FAILS_AT" -gt 0 ] && [ "$calls" -ge "$FAILS_AT" ] && [ "$calls" -lt "$BACK_AT" ]; }
calls=$(wc -l <"$CALLS")
case $1 in
  get-state)
    if is_gone; then echo "error: device 'stub' not found" >&2; exit 1; fi
    echo device ;;
  push)
    if is_gone; then echo "adb: error: device offline" >&2; exit 1; fi
    cp "$2" "$PHONE/${3#/data/local/tmp/}" ;;
  shell)
    echo "$2" >>"$CALLS"
    calls=$((calls + 1))
    if is_gone; then echo "error: device 'stub' not found" >&2; exit 1; fi
    bash -c "${2//\/data\/local\/tmp/$PHONE}" ;;
esac
END
# The phone's speed_benchmark_torch: 100 us a run of the old file, 90 of the new one.
cat >tool <<'END'
#!/usr/bin/env bash
[ ! -e "$PHONE/crashes" ] || { echo "terminating: Unknown builtin op" >&2; exit 134; }
printf 'Starting benchmark.\r\nRunning warmup runs.\r\nMain runs.\r\n'
case "$*" in *--model=old.pt*) us=100 ;; *) us=90 ;; esac
for i in 1 2 3 4 5; do
  printf 'PyTorchObserver {"type": "NET", "unit": "us", "metric": "latency", "value": "%s"}\r\n' "$us.$RANDOM"
done
printf 'Main run finished. Microseconds per iter: %s. Iters per second: 1\r\n' "$us"
END
chmod +x adb tool
export FUSEKIT_ADB=$work/adb
echo old >old.pt
echo new >new.pt

# check NAME EXIT_CODE TEXT ARGUMENTS...: does the script end so, saying that, and leaving nothing on the phone?
check() {
  local name=$1 wanted=$2 text=$3 code=0
  shift 3
  rm -rf "$PHONE" && mkdir "$PHONE"
  [ -z "${CRASHES:-}" ] || touch "$PHONE/crashes"
  : >"$CALLS"
  "$sources/scripts/bench_android.sh" "$@" >output 2>&1 || code=$?
  if [ "$code" -ne "$wanted" ] || ! grep -qF -- "$text" output; then
    printf '%s: exit %s instead of %s, or not "%s":\n' "$name" "$code" "$wanted" "$text"
    cat output
    exit 1
  fi
  if [ -n "$(ls "$PHONE" | grep -v '^crashes$')" ]; then
    printf '%s: left on the phone: %s\n' "$name" "$(ls "$PHONE")"
    exit 1
  fi
}

options=(--tool ./tool --input_dims 1,3,8,8 --cool-down 0 --out "$work/out")
check judged 0 "as fast as" old.pt new.pt "${options[@]}"
grep -q "new.pt.times.txt is 1.1" output || { cat output && exit 1; }
[ "$(grep -c "Starting benchmark" out/old.pt.times.txt)" -eq 8 ] || { echo "not eight processes" && exit 1; }
[ "$(grep -- "--model=" calls | sed 's/.*--model=\(...\).*/\1/' | head -4 | xargs)" = "old new new old" ] ||
  { echo "the files do not take turns" && exit 1; }
grep -q -- "--input_dims='1,3,8,8'" calls || { echo "the dims did not reach the tool" && exit 1; }
[ -s out/phone.txt ] || { echo "the phone's state is not recorded" && exit 1; }

mkdir elsewhere && cp new.pt elsewhere/old.pt
check "files of one name" 0 "new.txt is 1.1" old.pt elsewhere/old.pt "${options[@]}"

check "one file" 2 "two files are needed" old.pt "${options[@]}"
check "no such file" 2 "none.pt: no such file" old.pt none.pt "${options[@]}"
check "no tool" 2 "--tool is missing" old.pt new.pt
check "missing tool" 2 "nowhere: no such file" old.pt new.pt --tool nowhere
check "bad option" 2 "there is no option --fast" old.pt new.pt --fast
check "no value" 2 "--tool needs a value" old.pt new.pt --tool
check "bad number" 2 "'many' is no whole number" old.pt new.pt "${options[@]}" --rounds many
DEVICES="" check "no phone" 2 "no phone is connected" old.pt new.pt "${options[@]}"
DEVICES=$'stub\tunauthorized' check "not allowed" 2 "no phone is connected" old.pt new.pt "${options[@]}"
DEVICES=$'a\tdevice\nb\tdevice' check "two phones" 2 "several phones are connected: a, b" old.pt new.pt "${options[@]}"
check "another phone" 2 "there is no phone other" old.pt new.pt "${options[@]}" --serial other
FUSEKIT_ADB=$work/none check "no adb" 2 "there is no $work/none" old.pt new.pt "${options[@]}"
CRASHES=yes check "the tool crashes" 2 "speed_benchmark_torch failed on old.pt" old.pt new.pt "${options[@]}"
grep -q "Unknown builtin op" output || { echo "the tool's own words are lost" && exit 1; }
FAILS_AT=7 BACK_AT=9 check "gone in the middle" 2 "the phone stub is gone" old.pt new.pt "${options[@]}"
[ "$(grep -c "Starting benchmark" out/old.txt)" -ge 1 ] || { echo "the times until then are lost" && exit 1; }
echo "all is well"
