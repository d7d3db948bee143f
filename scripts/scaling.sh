#!/usr/bin/env bash
# How the cost of `fusekit fuse` grows: chains of 10, 100, 1,000 and 5,000 conv+bn+relu blocks (processor time to read,
# fuse and write, without verification) and one file with 1 GB of weights (peak memory, verified). About two minutes.
#   scripts/scaling.sh [preset]        needs a Python with torch: Debian's, or FUSEKIT_PYTHON
source "$(dirname "$0")/lib.sh"
preset=${1:-$(default_preset)}
find_python_with_torch
need_packages time
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=${FUSEKIT_PROGRAM:-build/$preset/fusekit}

# measure COMMAND...: sets `cpu` (user + system) and `wall` in seconds and `peak` in MB.
measure() {
  /usr/bin/time -f '%U %S %e %M' -o "$work/usage" "$@"
  read -r cpu wall peak < <(awk '{ printf "%.2f %.2f %.0f\n", $1 + $2, $3, $4 / 1024 }' "$work/usage")
}

measure "$program" --help >/dev/null
start=$cpu
echo "To start the program: $start s of processor time, left out below."
echo
echo "| blocks | processor s | ms a block | wall s | peak MB |"
echo "|---|---|---|---|---|"
for blocks in 10 100 1000 5000; do
  "$python" -W ignore models/chain.py "$work/chain.pt" --blocks "$blocks" --channels 8
  measure "$program" fuse "$work/chain.pt" -o "$work/out.pt" --force --no-verify --json --quiet >"$work/report.json"
  grep -q "\"fused\": $blocks\b" "$work/report.json" || stop "not all of the $blocks blocks were fused"
  awk -v n="$blocks" -v cpu="$cpu" -v start="$start" -v wall="$wall" -v peak="$peak" 'BEGIN {
    printf "| %d | %.2f | %.2f | %.2f | %d |\n", n, cpu - start, (cpu - start) * 1000 / n, wall, peak }'
  echo "$blocks $cpu" >>"$work/points"
done
awk -v start="$start" '$1 == 100 { a = $2 - start } $1 == 5000 { b = $2 - start }
  END { printf "\nFrom 100 to 5,000 blocks the time grows as blocks^%.2f.\n", log(b / a) / log(50) }' "$work/points"

"$python" -W ignore models/chain.py "$work/chain.pt" --blocks 28 --channels 1024
measure "$program" fuse "$work/chain.pt" -o "$work/out.pt" --force --quiet --input_dims 1,1024,4,4 >/dev/null
size=$(($(stat -c %s "$work/chain.pt") / 1024 / 1024))
awk -v size="$size" -v wall="$wall" -v peak="$peak" 'BEGIN {
  printf "%d MB of weights, verified: %.1f s, peak %d MB, %.2f times the file\n", size, wall, peak, peak / size }'
