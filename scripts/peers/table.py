"""Rows of results, kept in a folder so that what was measured once is not measured again."""
import contextlib
import json
import os
import re
import sys
import time

import numpy as np

import judge


class Results:
    """FOLDER/KEY.json holds a row, FOLDER/KEY.npy its logits on the test samples."""

    def __init__(self, folder, reference, samples):
        self.folder, self.reference, self.samples = folder, reference, samples
        os.makedirs(folder, exist_ok=True)

    def row(self, tool, setting, make, again=False):
        """The row of make() -> (run, (int8 share, int8 layers, float layers)), from the folder where it is there. A tool
        that fails gives a row with its error."""
        key = re.sub(r"[^A-Za-z0-9]+", "_", f"{tool} {setting}").strip("_")
        path = os.path.join(self.folder, key + ".json")
        if os.path.exists(path) and not again:
            with open(path) as file:
                return json.load(file)
        print(f"== {tool}, {setting}", file=sys.stderr, flush=True)
        row = {"tool": tool, "setting": setting}
        start = time.monotonic()
        try:
            with contextlib.redirect_stdout(sys.stderr):  # tools print there, and the table goes to stdout
                run, (share, int8_layers, float_layers) = make()
            row["seconds"] = round(time.monotonic() - start, 1)
            logits = judge.logits(run, self.samples)
            row.update(sqnr=judge.sqnr(self.reference, logits), agreement=judge.agreement(self.reference, logits),
                       int8_share=share, int8_layers=int8_layers, float_layers=float_layers)
            np.save(os.path.join(self.folder, key + ".npy"), logits)
        except Exception as error:  # whatever the tool throws belongs into the table
            lines = str(error).strip().splitlines()
            row["error"] = f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]
            print(f"   failed: {error}", file=sys.stderr, flush=True)
        with open(path, "w") as file:
            json.dump(row, file, indent=1)
        return row


def markdown(rows):
    """One line a row, as in facts and issues."""
    lines = ["| tool | setting | top-1 agreement | SQNR | int8 multiply-adds | int8 / float layers | seconds |",
             "|---|---|---|---|---|---|---|"]
    for row in rows:
        head = f"| {row['tool']} | {row['setting']} |"
        if "error" in row:
            lines.append(f"{head} {row['error']} | | | | |")
        else:
            lines.append(f"{head} {row['agreement']:.1%} | {row['sqnr']:.1f} dB | {row['int8_share']:.0%} | "
                         f"{row['int8_layers']} / {row['float_layers']} | {row['seconds']:.0f} |")
    return "\n".join(lines)
