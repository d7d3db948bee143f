#!/usr/bin/env bash
# How the cost of `fusekit fuse` grows: chains of 10, 100, 1,000 and 5,000 conv+bn+relu blocks (time, without
# verification) and one file with 1 GB of weights (peak memory). Prints the tables of models/README.md.
#   scripts/scaling.sh [preset]        needs a Python with torch: Debian's, or FUSEKIT_PYTHON
source "$(dirname "$0")/lib.sh"
preset=${1:-release}
find_python_with_torch
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=${FUSEKIT_PROGRAM:-build/$preset/fusekit}

echo "| blocks | nodes | read and fuse, ms | ms a block | wall s | peak MB |"
echo "|---|---|---|---|---|---|"
for blocks in 10 100 1000 5000; do
  "$python" -W ignore models/chain.py "$work/chain.pt" --blocks "$blocks" --channels 8
  /usr/bin/env time -f '%e %M' -o "$work/usage" "$program" fuse "$work/chain.pt" -o "$work/out.pt" --force --no-verify \
    --json --quiet >"$work/report.json"
  "$python" - "$blocks" "$work/report.json" "$work/usage" <<'PY'
import json, sys
blocks, report, usage = int(sys.argv[1]), json.load(open(sys.argv[2])), open(sys.argv[3]).read().split()
assert report["fused"] == blocks, report["fused"]
ms = report["seconds"] * 1e3
print(f"| {blocks} | {report['nodes_before']} | {ms:.0f} | {ms / blocks:.2f} | {usage[0]} | {int(usage[1]) / 1024:.0f} |")
PY
done

"$python" -W ignore models/chain.py "$work/chain.pt" --blocks 28 --channels 1024
/usr/bin/env time -f '%e %M' -o "$work/usage" "$program" fuse "$work/chain.pt" -o "$work/out.pt" --force --quiet \
  --input_dims 1,1024,4,4
read -r seconds kilobytes <"$work/usage"
echo "$(($(stat -c %s "$work/chain.pt") / 1024 / 1024)) MB of weights, verified: $seconds s, peak $((kilobytes / 1024)) MB"
