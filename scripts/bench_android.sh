#!/usr/bin/env bash
# On an Android phone, over adb: is NEW.pt faster or slower than OLD.pt?
#   scripts/bench_android.sh OLD.pt NEW.pt --tool PATH [options]
#   --tool PATH           speed_benchmark_torch, built for the phone (PyTorch's scripts/build_android.sh makes it)
#   --input_dims D        e.g. 1,3,224,224, and --input_type T (default: float), as speed_benchmark_torch takes them
#   --rounds N            processes of each file, in turns: old new, new old, ... (default: 8, the fewest that make a sure
#                         verdict)
#   --iter N              timed runs in each process (default: 50), after --warmup N (default: 10)
#   --cool-down SECONDS   rest before each process (default: 5): a warm phone is a slow one
#   --serial ID           which phone, where there are several
#   --out DIR             where the times and the phone's state go (default: a new folder in /tmp)
# FUSEKIT_ADB is the adb to use. Exit 0: measured; 2: something is wrong. Nothing is left on the phone.
here=$PWD
source "$(dirname "$0")/lib.sh"
fusekit=${FUSEKIT_PROGRAM:-$PWD/build/$(default_preset)/fusekit}
cd "$here"

files=() tool="" dims="" type=float rounds=8 iterations=50 warmup=10 rest=5 serial="" out=""
while [ $# -gt 0 ]; do
  case $1 in
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
  esac
  case $1 in
    --tool | --input_dims | --input-dims | --input_type | --input-type | --rounds | --iter | --warmup | --cool-down | \
      --serial | --out)
      [ $# -ge 2 ] || stop "$1 needs a value" ;;
  esac
  case $1 in
    --tool) tool=$2 && shift 2 ;;
    --input_dims | --input-dims) dims=$2 && shift 2 ;;
    --input_type | --input-type) type=$2 && shift 2 ;;
    --rounds) rounds=$2 && shift 2 ;;
    --iter) iterations=$2 && shift 2 ;;
    --warmup) warmup=$2 && shift 2 ;;
    --cool-down) rest=$2 && shift 2 ;;
    --serial) serial=$2 && shift 2 ;;
    --out) out=$2 && shift 2 ;;
    -*) stop "there is no option $1" "the head of scripts/bench_android.sh lists them" ;;
    *) files+=("$1") && shift ;;
  esac
done
for number in "$rounds" "$iterations" "$warmup" "$rest"; do
  [[ $number =~ ^[0-9]+$ ]] || stop "'$number' is no whole number from 0 on"
done
[ "$rounds" -ge 1 ] && [ "$iterations" -ge 1 ] || stop "without rounds and runs there is nothing to measure"
[ ${#files[@]} -eq 2 ] || stop "two files are needed" "scripts/bench_android.sh OLD.pt NEW.pt --tool PATH"
for file in "${files[@]}"; do [ -f "$file" ] || stop "$file: no such file"; done
[ -n "$tool" ] || stop "--tool is missing" "give the path of speed_benchmark_torch, built for the phone"
[ -f "$tool" ] || stop "$tool: no such file" "PyTorch's scripts/build_android.sh -DBUILD_BINARY=ON makes it"
[ -x "$fusekit" ] || stop "'$fusekit' is not there" "scripts/build.sh"
adb=${FUSEKIT_ADB:-adb}
command -v "$adb" >/dev/null || stop "there is no $adb" "install Android's platform tools: apt-get install adb"

# The phones that answer.
connected=$("$adb" devices 2>/dev/null | awk -F '\t' '$2 == "device" { print $1 }') || stop "'$adb devices' fails"
if [ -n "$serial" ]; then
  grep -qxF -- "$serial" <<<"$connected" || stop "there is no phone $serial" "connected: ${connected:-none}"
else
  [ -n "$connected" ] || stop "no phone is connected" "connect one, allow USB debugging on it, and look at '$adb devices'"
  [ "$(wc -l <<<"$connected")" -eq 1 ] || stop "several phones are connected: ${connected//$'\n'/, }" "choose one with --serial"
  serial=$connected
fi

out=${out:-$(mktemp -d /tmp/bench_android.XXXXXX)}
mkdir -p "$out" || stop "$out can't be made"
remote=/data/local/tmp/fusekit_$(date +%s)_$$

on_phone() { "$adb" -s "$serial" shell "$*" </dev/null; }

# lost WHAT: the phone or the tool failed.
lost() {
  if [ "$("$adb" -s "$serial" get-state 2>/dev/null)" = device ]; then
    stop "$1" "what it printed last: $(tail -n 3 "$out/last.txt" 2>/dev/null | tr '\r\n' '  ')"
  fi
  stop "the phone $serial is gone ($1)" "connect it again and start anew; the times until then are in $out"
}

clean_up() {
  trap - EXIT
  local patience
  for patience in 1 1 3; do # a phone that was gone for a moment comes back
    if on_phone "rm -rf $remote" >/dev/null 2>&1; then return; fi
    sleep "$patience"
  done
  say "the phone does not answer: its folder $remote could not be removed; when it is back: $adb -s $serial shell rm -rf $remote"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

put() {
  "$adb" -s "$serial" push "$1" "$2" >"$out/last.txt" 2>&1 || lost "$1 could not be copied to it"
}

record_state() {
  {
    echo "# $1"
    on_phone "getprop ro.product.model; getprop ro.soc.model; getprop ro.build.version.release; \
      cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; \
      cat /sys/class/thermal/thermal_zone*/temp; dumpsys battery" 2>/dev/null || true
  } >>"$out/phone.txt"
}

# time_one OLD_OR_NEW: one process; its output is added to that file's.
time_one() {
  sleep "$rest"
  local name=$1 dims_flag=""
  [ -z "$dims" ] || dims_flag="--input_dims='$dims' --input_type='$type'"
  on_phone "cd $remote && ./speed_benchmark_torch --model=$name.pt $dims_flag --warmup=$warmup --iter=$iterations \
    --report_pep=true" >"$out/last.txt" 2>&1 || lost "speed_benchmark_torch failed on ${names[$name]}"
  grep -q "Main run finished" "$out/last.txt" || lost "speed_benchmark_torch did not finish on ${names[$name]}"
  cat "$out/last.txt" >>"$out/$name.txt"
}

declare -A names=([old]=${files[0]} [new]=${files[1]})
: >"$out/old.txt"
: >"$out/new.txt"
: >"$out/phone.txt"
on_phone "mkdir -p $remote" >"$out/last.txt" 2>&1 || lost "$remote could not be made on it"
put "$tool" "$remote/speed_benchmark_torch"
put "${files[0]}" "$remote/old.pt"
put "${files[1]}" "$remote/new.pt"
on_phone "chmod 755 $remote/speed_benchmark_torch" >"$out/last.txt" 2>&1 || lost "the tool can't be made executable"
record_state before
for ((round = 1; round <= rounds; ++round)); do
  say "round $round of $rounds"
  order=(old new)
  [ $((round % 2)) -eq 1 ] || order=(new old)
  for name in "${order[@]}"; do time_one "$name"; done
done
record_state after
clean_up
rm -f "$out/last.txt"
old_times=$out/old.txt new_times=$out/new.txt
if [ "$(basename "${files[0]}")" != "$(basename "${files[1]}")" ]; then # the verdict calls them by these names
  old_times=$out/$(basename "${files[0]}").times.txt new_times=$out/$(basename "${files[1]}").times.txt
  mv "$out/old.txt" "$old_times"
  mv "$out/new.txt" "$new_times"
fi
say "the times and the phone's state are in $out"
"$fusekit" bench --samples "$old_times" "$new_times"
