"""The other tools, each with the settings that its documentation recommends for a CPU. Every function takes float
networks and calibration samples (float32 arrays) and returns (run, (int8 share, int8 layers, float layers))."""
import copy
import os
import tempfile

import numpy as np
import torch

import judge

FULL_RANGE = "per-channel, full range"
FX = ["qnnpack", "x86", "fbgemm", FULL_RANGE]


def engine_of(qconfig):
    """The engine that FX's converted modules are packed for and run with. qconfig qnnpack runs with onednn: the
    engine qnnpack is slow on a PC, and its clamp, hardtanh and relu6 give channels_last tensors in the wrong order."""
    return qconfig if qconfig in ("x86", "fbgemm") else "onednn"


def qconfig_mapping(name):
    from torch.ao import quantization as q

    if name in ("qnnpack", "x86", "fbgemm"):
        return q.get_default_qconfig_mapping(name)
    full_range = q.QConfig(
        activation=q.HistogramObserver.with_args(reduce_range=False), weight=q.default_per_channel_weight_observer
    )
    return q.QConfigMapping().set_global(full_range)


def fx(model, samples, name):
    """prepare_fx, calibration, convert_fx."""
    from torch.ao.quantization import quantize_fx

    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine_of(name)
    try:
        example = torch.from_numpy(samples[0])
        prepared = quantize_fx.prepare_fx(copy.deepcopy(model).eval(), qconfig_mapping(name), (example,))
        with torch.no_grad():
            for sample in samples:
                prepared(torch.from_numpy(sample))
        converted = quantize_fx.convert_fx(prepared)
    finally:
        torch.backends.quantized.engine = before
    return torch_runner(converted, engine_of(name)), judge.count(converted, samples[0])


def torch_runner(model, engine):
    def run(sample):
        torch.backends.quantized.engine = engine
        with torch.no_grad():
            output = model(torch.from_numpy(sample))
        return first_tensor(output).numpy()

    return run


def first_tensor(output):
    """Networks with auxiliary heads give a tuple: its first entry is the logits."""
    return output if isinstance(output, torch.Tensor) else output[0]


class Logits(torch.nn.Module):
    """A network that gives its logits only."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return first_tensor(self.model(x))


def export_onnx(model, sample, path):
    """An ONNX file of the network, opset 17, made by tracing: as float PyTorch users export."""
    if not os.path.exists(path):
        with torch.no_grad():
            torch.onnx.export(Logits(model).eval(), (torch.from_numpy(sample),), path + ".part", opset_version=17,
                              input_names=["x"], output_names=["y"], dynamo=False)
        os.replace(path + ".part", path)
    return path


def session(path_or_bytes, optimized=True):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path_or_bytes, options, providers=["CPUExecutionProvider"])


def onnx_runner(path_or_bytes):
    loaded = session(path_or_bytes)
    name = loaded.get_inputs()[0].name
    return lambda sample: loaded.run(None, {name: sample})[0]


def ort(onnx_file, samples, method):
    """quantize_pre_process, then quantize_static: QDQ, per channel, uint8 activations and int8 weights. `method`:
    "min-max" or "entropy"."""
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rest = iter(samples)

        def get_next(self):
            sample = next(self.rest, None)
            return None if sample is None else {"x": sample}

    with tempfile.TemporaryDirectory() as work:
        prepared, quantized = os.path.join(work, "prepared.onnx"), os.path.join(work, "quantized.onnx")
        quant_pre_process(onnx_file, prepared, skip_symbolic_shape=True)
        quantize_static(prepared, quantized, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        calibrate_method=CalibrationMethod.Entropy if method == "entropy" else CalibrationMethod.MinMax)
        with open(quantized, "rb") as file:
            content = file.read()
    return onnx_runner(content), count_onnx(content, samples[0])


def nncf(onnx_file, samples, setting):
    """nncf.quantize on the ONNX file. `setting`: "default" (performance preset, fast bias correction) or "mixed, full
    bias correction"."""
    import nncf as tool
    import onnx

    options = {}
    if setting != "default":
        options = {"preset": tool.QuantizationPreset.MIXED, "fast_bias_correction": False}
    data = tool.Dataset(samples, lambda sample: {"x": sample})
    quantized = tool.quantize(onnx.load(onnx_file), data, subset_size=len(samples), **options)
    content = quantized.SerializeToString()
    return onnx_runner(content), count_onnx(content, samples[0])


MOVES = {"Pad", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "MaxPool", "Identity", "Slice"}


def count_onnx(content, sample):
    """judge.count for an ONNX file: a layer is int8 where both operands come from DequantizeLinear, directly or through
    what only moves numbers. The shapes are those of a run."""
    import onnx

    model = onnx.load_from_string(content)
    maker = {output: node for node in model.graph.node for output in node.output}
    constants = {tensor.name for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]

    def source(name):
        while name in maker and maker[name].op_type in MOVES:
            name = maker[name].input[0]
        return name

    wanted = list(dict.fromkeys(name for node in nodes for name in (node.input[1], node.output[0])
                                if name not in constants))
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes.update(zip(wanted, (a.shape for a in session(model.SerializeToString(), False).run(None, {"x": sample}))))
    work, layers = {True: 0, False: 0}, {True: 0, False: 0}
    for node in nodes:
        int8 = all(maker[s].op_type == "DequantizeLinear" if s in maker else False for s in map(source, node.input[:2]))
        weight = shapes[node.input[1]]
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        per_output = np.prod(weight[1:]) if node.op_type == "Conv" else weight[-1 if transposed else -2]
        work[int8] += int(np.prod(shapes[node.output[0]]) * per_output)
        layers[int8] += 1
    return work[True] / max(1, work[True] + work[False]), layers[True], layers[False]
