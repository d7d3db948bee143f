#!/usr/bin/env python3
"""The series behind scripts/bench_false_alarms.sh, which makes the files: rates of false alarms, finds and coverage."""
import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time

from bench_judges import JUDGES, self_test


def busy_neighbour(seed):
    """Works in bursts of 0.1 to 2 s, walking through 32 MB, and rests as long on average."""
    draw = random.Random(seed)
    data = bytearray(32 << 20)
    while True:
        end = time.monotonic() + draw.uniform(0.1, 2)
        while time.monotonic() < end:
            data[::64] = bytes(len(data) // 64)
        time.sleep(draw.uniform(0.1, 2))


def runs_of(report, variant):
    """A variant's runs, a list for each process."""
    return [[us for block in process["blocks"] for slot in block if slot["variant"] == variant
             for us in slot.get("run_us", [slot["median_us"]])] for process in report["processes"]]


def one_run(options, slower, neighbour, seed):
    command = [options.fusekit, "bench", os.path.join(options.models, "base.pt"),
               os.path.join(options.models, f"{slower}.pt"), "--input_dims", "96,96", "--threads", "1", "--json",
               "-q", "--max-time", str(options.max_time), "--seed", str(seed)]
    process = multiprocessing.Process(target=busy_neighbour, args=(seed,), daemon=True) if neighbour else None
    if process:
        process.start()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        if process:
            process.terminate()
            process.join()
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    ratio = report["ratios"][0]
    truth = 1 / (1 + slower / 100)
    a, b = runs_of(report, 0), runs_of(report, 1)
    half = len(a) // 2
    row = {"slower": slower, "neighbour": neighbour, "seed": seed, "verdict": ratio["verdict"],
           "interval": ratio["interval"], "covers": ratio["interval"][0] <= truth <= ratio["interval"][1],
           "other_cpus": report["noise"]["other_cpus"], "FuseKit": ratio["verdict"] != "no_difference"}
    row.update({name: judge(a[:half], b[half:]) for name, judge in JUDGES.items()})
    return row


def read_rows(path):
    if not path or not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def table(rows):
    conditions = sorted({(row["neighbour"], row["slower"]) for row in rows})

    def name(neighbour, slower):
        what = f"{slower} % slower" if slower else "its own copy"
        return f"{what}{', busy neighbour' if neighbour else ''}"

    def share(condition, key):
        chosen = [row[key] for row in rows if (row["neighbour"], row["slower"]) == condition]
        return f"{100 * sum(chosen) / len(chosen):.1f} % of {len(chosen)}"

    lines = ["| calls a difference | " + " | ".join(name(*condition) for condition in conditions) + " |",
             "|---|" + "---|" * len(conditions)]
    for judge in ["FuseKit", *JUDGES]:
        lines.append(f"| {judge} | " + " | ".join(share(condition, judge) for condition in conditions) + " |")
    lines.append("| FuseKit's interval covers the truth | "
                 + " | ".join(share(condition, "covers") for condition in conditions) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fusekit", required=True)
    parser.add_argument("--models", required=True, help="folder with base.pt and N.pt, which do N %% more")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--max-time", type=float, default=20)
    parser.add_argument("--slower", default="0,1,2,5", help="percent")
    parser.add_argument("--neighbour", default="no,yes")
    parser.add_argument("--rows", help="JSON lines: read first, then added to")
    options = parser.parse_args()
    self_test()
    rows = read_rows(options.rows)
    done = {(row["slower"], row["neighbour"], row["seed"]) for row in rows}
    wanted = [(int(slower), neighbour == "yes", seed) for seed in range(1, options.runs + 1)
              for neighbour in options.neighbour.split(",") for slower in options.slower.split(",")]
    for number, key in enumerate(wanted, 1):
        if key in done:
            continue
        rows.append(one_run(options, *key))
        if options.rows:
            with open(options.rows, "a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
        print(f"{number} of {len(wanted)}: {rows[-1]['verdict']}", file=sys.stderr)
    print(table(rows))


if __name__ == "__main__":
    main()
