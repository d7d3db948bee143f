#!/usr/bin/env python3
"""Times networks side by side: FuseKit's files and what else runs them on a CPU. scripts/bench_peers.sh runs this.

Each tool has a process of its own, with the same number of threads on the same CPUs; they take turns in random order, one
run that is not counted before those that are, and the others are stopped meanwhile. A ratio is the median over the
rounds of (the original's median time / the tool's); its interval is that of the median (binomial, 95 %). Weights are the
zoo's; int8 is calibrated on the same random numbers everywhere, and the error is that against the original's output on one
of them. The time to prepare is what a tool takes from the network to the first run (for FuseKit: `fuse` or `quantize`, and
the load). A Markdown table on stdout for each number of threads; WORK/bench_peers.json has every slot.
"""
import argparse
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import time
import warnings

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "peers"), os.path.join(HERE, "..", "models")]

import numpy as np  # noqa: E402

DIMS = (1, 3, 224, 224)
CALIBRATION = 16
SLOT_SECONDS = 0.03
SECONDS_TO_PREPARE = 900


def sample(seed):
    return np.random.default_rng(seed).standard_normal(DIMS, dtype=np.float32)


# --- the tools: each is made in its own process, by prepare(options) -> run, which takes an array and returns one ---------
def torch_runner(module, dtype=None, channels_last=False):
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format

    def run(array):
        with torch.inference_mode():
            return first(module(torch.from_numpy(array).contiguous(memory_format=layout).to(dtype or torch.float32)))

    return run


def torch_file(path, change=lambda module: module):
    import torch

    return torch_runner(change(torch.jit.load(path).eval()))


def first(output):
    import torch

    while not isinstance(output, torch.Tensor):
        output = list(output.values())[0] if isinstance(output, dict) else output[0]
    return output


def fusekit(options, command, flags):
    """Writes a file with the program and loads it plainly."""
    return torch_file(fusekit_file(options, command, flags))


def fusekit_with_graph_fuser(options, flags):
    """The same in a process that has switched LibTorch's oneDNN Graph fuser on."""
    import torch

    path = fusekit_file(options, "fuse", flags)
    torch.jit.enable_onednn_fusion(True)
    return torch_file(path, torch.jit.freeze)


def fusekit_file(options, command, flags):
    path = os.path.join(options.work, f"{options.network}.{options.tool.replace(' ', '_')}.pt")
    words = [options.program, command, original_file(options), "-o", path, "--force",
             "--input_dims", ",".join(map(str, DIMS)), "--threads", str(options.threads), *flags]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip().splitlines()[-1] if result.stderr.strip() else "failed")
    return path


def original_file(options):
    return os.path.join(options.zoo, f"{options.network}.script.pt")


def calibration_file(options):
    path = os.path.join(options.work, "calibration.npy")
    if not os.path.exists(path):
        np.save(path + ".part.npy", np.concatenate([sample(100 + k) for k in range(CALIBRATION)]))
        os.replace(path + ".part.npy", path)
    return path


def for_inference(module):
    import torch

    return torch.jit.optimize_for_inference(torch.jit.freeze(module))


def graph_fuser(options, dtype=None):
    """LibTorch's oneDNN Graph fuser, a switch of the process, on a frozen file with channels_last data."""
    import torch

    torch.jit.enable_onednn_fusion(True)
    module = torch.jit.load(original_file(options)).eval()
    return torch_runner(torch.jit.freeze(module if dtype is None else module.to(dtype)), dtype, channels_last=True)


def python_module(options):
    """The network as a Python module with the file's weights."""
    import torch
    import vision

    vision.ready()
    import zoo

    network = zoo.NETWORKS[options.network].make().eval()
    network.load_state_dict(torch.jit.load(original_file(options)).state_dict())
    return network


def aot_inductor(options, dtype=None):
    import torch
    import torch._inductor.config as config

    config.freezing = True
    network = python_module(options).to(memory_format=torch.channels_last)
    x = torch.from_numpy(sample(0)).contiguous(memory_format=torch.channels_last)
    if dtype is not None:
        network, x = network.to(dtype), x.to(dtype)
    path = os.path.join(options.work, f"{options.network}.{'float' if dtype is None else 'bf16'}.pt2")
    with torch.no_grad():
        torch._inductor.aoti_compile_and_package(torch.export.export(network, (x,)), package_path=path)
    return torch_runner(torch._inductor.aoti_load_package(path), dtype, channels_last=True)


def onnx_file(options):
    import peers

    return peers.export_onnx(python_module(options), sample(0), os.path.join(options.work, f"{options.network}.onnx"))


def ort_session(options, model):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda array: session.run(None, {name: array})[0]


def ort_int8(options):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rest = ({"x": sample(100 + k)} for k in range(CALIBRATION))

        def get_next(self):
            return next(self.rest, None)

    source = onnx_file(options)
    prepared, quantized = source[:-5] + ".prepared.onnx", source[:-5] + ".int8.onnx"
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantize_static(prepared, quantized, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return ort_session(options, quantized)


def openvino_model(options, precision, quantize=False):
    import openvino

    core = openvino.Core()
    model = core.read_model(onnx_file(options))
    if quantize:
        import nncf

        data = nncf.Dataset([sample(100 + k) for k in range(CALIBRATION)])
        model = nncf.quantize(model, data, subset_size=CALIBRATION)
    settings = {"INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": precision, "ENABLE_CPU_PINNING": False}
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(array):
        request.set_input_tensor(openvino.Tensor(array))
        request.infer()
        return request.get_output_tensor(0).data.copy()

    return run


def bfloat16():
    import torch

    return torch.bfloat16


TOOLS = {
    "original": lambda o: torch_file(original_file(o)),
    "optimize_for_inference": lambda o: torch_file(original_file(o), for_inference),
    "graph fuser": graph_fuser,
    "graph fuser bf16": lambda o: graph_fuser(o, bfloat16()),
    "AOTInductor": aot_inductor,
    "AOTInductor bf16": lambda o: aot_inductor(o, bfloat16()),
    "ONNX Runtime": lambda o: ort_session(o, onnx_file(o)),
    "ONNX Runtime int8": ort_int8,
    "OpenVINO": lambda o: openvino_model(o, "f32"),
    "OpenVINO bf16": lambda o: openvino_model(o, "bf16"),
    "OpenVINO int8": lambda o: openvino_model(o, "f32", quantize=True),
    "fuse": lambda o: fusekit(o, "fuse", []),
    "fuse + graph fuser": lambda o: fusekit_with_graph_fuser(o, []),
    "fuse bf16 + graph fuser": lambda o: fusekit_with_graph_fuser(o, ["--dtype", "bf16"]),
    "cpu": lambda o: fusekit(o, "fuse", ["--for", "cpu"]),
    "cpu bf16": lambda o: fusekit(o, "fuse", ["--for", "cpu", "--dtype", "bf16"]),
    "int8": lambda o: fusekit(o, "quantize", ["--calibrate", calibration_file(o)]),
    "int8 cpu": lambda o: fusekit(o, "quantize", ["--for", "cpu", "--calibrate", calibration_file(o)]),
}


# --- a tool's process: lines of JSON on its own descriptors, because tools print ------------------------------------------
def work(options):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**fields):
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    begin = time.perf_counter()
    try:
        import torch

        torch.set_num_threads(options.threads)
        run = TOOLS[options.tool](options)
        output = run(sample(0))
        output = output.float().numpy() if isinstance(output, torch.Tensor) else output
    except Exception as error:  # whatever a tool throws is its row
        answer(error=f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:150]}")
        return
    seconds = time.perf_counter() - begin
    np.save(options.output, output)
    x = sample(0)
    for _ in range(8):
        run(x)
    answer(prepare_s=seconds)
    for line in sys.stdin:
        times = []
        run(x)  # finds the caches as the others left them
        for _ in range(int(line)):
            begin = time.perf_counter()
            run(x)
            times.append(time.perf_counter() - begin)
        answer(times=times)


class Worker:
    def __init__(self, tool, network, threads, arguments):
        self.output = os.path.join(arguments.work, f"output.{tool.replace(' ', '_')}.npy")
        words = [sys.executable, os.path.abspath(__file__), "--worker", tool, "--network", network, "--threads", str(threads),
                 "--work", arguments.work, "--zoo", arguments.zoo, "--program", arguments.program, "--output", self.output]
        cpus = sorted(os.sched_getaffinity(0))[:threads]
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env=environment, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        first_answer = self.answer()
        self.error = first_answer.get("error")
        self.prepare_s = first_answer.get("prepare_s")
        self.slots, self.runs = [], 1
        if not self.error:
            self.runs = max(1, min(50, math.ceil(SLOT_SECONDS / statistics.median(self.times(3)))))
            self.suspend()

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": f"ended with {self.process.wait()}"}

    def times(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return self.answer()["times"]

    def slot(self):
        self.process.send_signal(signal.SIGCONT)
        self.slots.append(statistics.median(self.times(self.runs)))
        self.suspend()

    def suspend(self):
        self.process.send_signal(signal.SIGSTOP)

    def end(self):
        self.process.kill()
        self.process.wait()


def median_interval(values):
    """The median and its 95 % interval from order statistics."""
    ordered, count = sorted(values), len(values)
    below, k = 0.0, 0
    while k < count // 2:
        below += math.comb(count, k) / 2**count
        if below > 0.025:
            break
        k += 1
    k = max(0, k - 1)
    return statistics.median(ordered), ordered[k], ordered[count - 1 - k]


def sqnr(reference, output):
    noise = float(((reference - output) ** 2).sum())
    return math.inf if noise == 0 else 10 * math.log10(float((reference**2).sum()) / noise)


def measure(network, threads, arguments):
    """{tool: row} of one network."""
    workers = {}
    for tool in arguments.tools:
        print(f"== {network}, {threads} threads: {tool}", file=sys.stderr, flush=True)
        workers[tool] = Worker(tool, network, threads, arguments)
    ready = {tool: worker for tool, worker in workers.items() if not worker.error}
    for _ in range(arguments.rounds):
        order = list(ready)
        random.shuffle(order)
        for tool in order:
            ready[tool].slot()
    rows = {}
    original = ready["original"]
    reference = np.load(original.output).astype(np.float64)
    for tool, worker in workers.items():
        if worker.error:
            rows[tool] = {"error": worker.error}
            continue
        ratio, low, high = median_interval([a / b for a, b in zip(original.slots, worker.slots)])
        rows[tool] = {"ms": 1e3 * statistics.median(worker.slots), "ratio": ratio, "low": low, "high": high,
                      "prepare_s": worker.prepare_s, "slots": worker.slots,
                      "sqnr": sqnr(reference, np.load(worker.output).astype(np.float64).reshape(reference.shape))}
    for worker in workers.values():
        worker.end()
    return rows


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown CPU")


def table(results, threads, tools):
    lines = [f"{cpu_name()}, {threads} thread{'s' * (threads > 1)}; ms, speed against the original with its interval, SQNR, "
             "seconds to prepare", "", "| network | " + " | ".join(tools) + " |", "|---|" + "---|" * len(tools)]
    for network, rows in results.items():
        cells = []
        for tool in tools:
            row = rows[tool]
            if "error" in row:
                cells.append("failed")
            elif tool == "original":
                cells.append(f"{row['ms']:.2f}")
            else:
                db = "" if math.isinf(row["sqnr"]) else f", {row['sqnr']:.0f} dB"
                cells.append(f"{row['ms']:.2f}, {row['ratio']:.2f}x ({row['low']:.2f} to {row['high']:.2f}){db}, "
                             f"{row['prepare_s']:.0f} s")
        lines.append(f"| {network} | " + " | ".join(cells) + " |")
    means = []
    for tool in tools:
        ratios = [rows[tool]["ratio"] for rows in results.values() if "ratio" in rows[tool]]
        mean = math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None
        means.append("" if mean is None else f"**{mean:.2f}x**" + (f" of {len(ratios)}" if len(ratios) < len(results) else ""))
    lines.append("| geometric mean | " + " | ".join(means) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--work", required=True)
    parser.add_argument("--zoo", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--threads", default="1", help="1,2: a table for each")
    parser.add_argument("--tools", default=",".join(TOOLS), help="some of: " + ", ".join(TOOLS))
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--worker", dest="tool", help=argparse.SUPPRESS)
    parser.add_argument("--network", help=argparse.SUPPRESS)
    parser.add_argument("--output", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.program = os.path.abspath(arguments.program)
    if arguments.tool:
        arguments.threads = int(arguments.threads)
        work(arguments)
        return
    arguments.tools = arguments.tools.split(",")
    unknown = [tool for tool in arguments.tools if tool not in TOOLS]
    if unknown:
        parser.error(f"no tool is called {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    if "original" not in arguments.tools:
        arguments.tools.insert(0, "original")
    everything = {}
    for threads in map(int, arguments.threads.split(",")):
        results = {network: measure(network, threads, arguments) for network in arguments.networks}
        everything[threads] = results
        print(table(results, threads, arguments.tools), flush=True)
        for network, rows in results.items():
            for tool, row in rows.items():
                if "error" in row:
                    print(f"- {network}, {tool}: {row['error']}")
        with open(os.path.join(arguments.work, "bench_peers.json"), "w", encoding="utf-8") as file:
            json.dump(everything, file, indent=1)


if __name__ == "__main__":
    main()
