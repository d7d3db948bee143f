"""FuseKit beside its peers: the program writes a file, and plain torch.jit.load runs it."""
import os
import shlex
import subprocess

import torch

import judge
import peers

ENGINE = "onednn"  # runs every operator that the files use, and does not saturate


def quantize(program, model, output, calibration, sample, flags):
    """`fusekit quantize` with `flags` (one string); returns (run, counts) as the peers do. `sample`: what is counted on."""
    # The other tools make all int8 that can be.
    command = [program, "quantize", model, "-o", output, "--force", "--prefer", "size", "--calibrate", calibration,
               *shlex.split(flags)]
    if os.path.exists(output):
        os.remove(output)  # so that an older one is never judged in place of the one that failed
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1) or not os.path.exists(output):
        message = (result.stderr or result.stdout).strip() or f"exit code {result.returncode}"
        raise RuntimeError(message)
    torch.backends.quantized.engine = ENGINE  # weights are packed for it when the file is loaded
    network = torch.jit.load(output).eval()
    return peers.torch_runner(network, ENGINE), judge.count(network, sample)
