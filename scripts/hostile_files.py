"""Puts damaged and malicious files through FuseKit's commands; scripts/hostile_files.sh says how it is called.

A run is a fault where it ends by a signal or with an unknown exit code, takes too long or too much memory, leaves a
file or a process behind, shows a C++ backtrace or control characters, or refuses without a reason. A crash that FuseKit
contains in its supervised child process is counted apart. Needs Python 3 alone: the script writes archives and pickles.
"""

import argparse
import collections
import concurrent.futures
import copy
import json
import os
import pathlib
import pickletools
import random
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from dataclasses import dataclass, field

GIB = 1 << 30
ROOT = pathlib.Path(__file__).resolve().parent.parent

OPTIONS = None  # the command line's

# ---- A run of the program --------------------------------------------------------------------------------------------

MUTATED_SECONDS, MUTATED_BYTES = 20, 1.5 * GIB
EVIL_SECONDS, EVIL_BYTES = 30, 2.5 * GIB  # --max-memory 1 GiB, a quarter more until it ends, and its own beside it
LIMITS = ["--run-limit", "3", "--max-memory", "1GiB"]
MOST_SAID, MOST_SHOWN = 1 << 20, 256 << 20  # bytes on stderr and stdout
LARGEST_FILE = 1 << 30
TICK = 0.02
CRASH = re.compile(rb"was ended by signal|ended by signal|Segmentation fault|core dumped")
BACKTRACE = re.compile(rb"frame #\d|Exception raised from|terminate called")
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")


@dataclass
class Run:
    command: list
    code: int = 0  # negative: the signal
    seconds: float = 0
    peak: int = 0
    said: bytes = b""
    shown: bytes = b""
    faults: list = field(default_factory=list)

    @property
    def crashed(self):
        return bool(CRASH.search(self.said) or CRASH.search(self.shown))


def processes_of(session):
    """The processes of a session, as (id, resident bytes); a process that has ended and is not waited for has none."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = pathlib.Path(f"/proc/{name}/stat").read_text()
            words = text.rsplit(")", 1)[1].split()
            if int(words[3]) == session and words[0] != "Z":
                found.append((int(name), int(words[21]) * resource.getpagesize()))
        except (OSError, IndexError, ValueError):
            pass
    return found


def end_session(session):
    for process, _ in processes_of(session):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Program:
    """A run of the program itself, which links LibTorch first: 0.4 s."""

    def __init__(self, words, folder, shown, said):
        environment = dict(os.environ, TMPDIR=str(folder), HOME=str(folder))
        with open(shown, "wb") as stdout, open(said, "wb") as stderr:
            self.process = subprocess.Popen([OPTIONS.fusekit, *words], cwd=folder, stdin=subprocess.DEVNULL,
                                            stdout=stdout, stderr=stderr, env=environment, start_new_session=True)
        self.session = self.process.pid

    def ended(self, seconds):
        """Waits so long for its end; its exit code (negative: the signal), or None, and its largest memory."""
        pid, status, usage = os.wait4(self.session, os.WNOHANG if seconds is not None else 0)
        if not pid:
            time.sleep(seconds)
            return None, 0
        self.process.returncode = os.waitstatus_to_exitcode(status)
        parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child begins with that
        return self.process.returncode, usage.ru_maxrss * 1024 if usage.ru_maxrss > parent else 0

    def leaves_processes(self):
        if processes_of(self.session):
            time.sleep(1)  # a worker may be about to end
        return bool(processes_of(self.session))


class ForkServer:
    """tests/hostile/fork_server.cpp: each of its runs is a fork. One for each thread of this script."""

    each = threading.local()
    all = []

    def __init__(self):
        self.process = subprocess.Popen([OPTIONS.server], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.read = b""
        self.ask(warm=str(ROOT / "tests/cases/plain.trace.pt"))

    @classmethod
    def own(cls):
        if not hasattr(cls.each, "server"):
            cls.each.server = cls()
            cls.all.append(cls.each.server)
        return cls.each.server

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, seconds=None):
        """A line of its output; None where there is none after so many seconds."""
        output = self.process.stdout.fileno()
        while b"\n" not in self.read:
            if not select.select([output], [], [], seconds)[0]:
                return None
            more = os.read(output, 4096)
            if not more:
                raise RuntimeError(f"{OPTIONS.server} ended")
            self.read += more
        line, self.read = self.read.split(b"\n", 1)
        return json.loads(line)


class Fork:
    """A run in the fork server."""

    def __init__(self, words, folder, shown, said):
        self.server = ForkServer.own()
        self.server.ask(folder=str(folder), stdout=str(shown), stderr=str(said), words=words)
        self.session = self.server.answer()["pid"]
        self.end = None

    def ended(self, seconds):
        self.end = self.server.answer(seconds)
        return (self.end["code"], self.end["kib"] * 1024) if self.end else (None, 0)

    def leaves_processes(self):
        return self.end["left"]


def wait_for(process, run, seconds, most_bytes):
    """Waits, looks at the memory of the whole session, and ends it where it takes far too much of either."""
    begin = time.monotonic()
    turn = 0
    while True:
        code, peak = process.ended(TICK)
        run.seconds = time.monotonic() - begin
        if code is not None:
            run.code, run.peak = code, max(run.peak, peak)
            return
        if turn % 5 == 4:
            run.peak = max(run.peak, sum(size for _, size in processes_of(process.session)))
        if run.seconds > OPTIONS.patience * seconds or run.peak > 2 * most_bytes:
            run.faults.append("takes too long" if run.peak <= 2 * most_bytes else "takes far too much memory")
            end_session(process.session)
            run.code, _ = process.ended(None)
            return
        turn += 1


def judge(run, most_bytes, folder, allowed):
    """Adds the faults of a run that has ended; `allowed` are the files that may be in its working folder."""
    if run.code not in (0, 1, 2) and not run.faults:
        run.faults.append(f"ends by signal {-run.code}" if run.code < 0 else f"exit code {run.code}")
    if run.peak > most_bytes:
        run.faults.append(f"takes {run.peak / GIB:.1f} GiB")
    if run.code == 2 and not run.said.strip():
        run.faults.append("refuses without a word")
    if BACKTRACE.search(run.said) or BACKTRACE.search(run.shown):
        run.faults.append("shows a C++ backtrace")
    if CONTROL.search(run.said) or CONTROL.search(run.shown):
        run.faults.append("shows control characters")
    stray = sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                   if str(path.relative_to(folder)) not in allowed)
    if stray:
        run.faults.append(f"leaves {', '.join(map(ascii, stray[:3]))}")


def beginning_of(path):
    with open(path, "rb") as file:
        return file.read(16 << 20)


def call(words, seconds, most_bytes, during=None, prepare=None, work=None):
    """Runs a command in a fresh empty folder. `prepare` may put something there, `during` may do something besides."""
    with tempfile.TemporaryDirectory(dir=work) as top:
        folder, texts = pathlib.Path(top) / "folder", pathlib.Path(top)
        folder.mkdir()
        there = {name: (folder / name).read_bytes() for name in (prepare(folder) if prepare else [])}
        run = Run(words)
        process = (Fork if OPTIONS.server else Program)(words, folder, texts / "stdout", texts / "stderr")
        if during:
            threading.Thread(target=during, daemon=True).start()
        wait_for(process, run, seconds, most_bytes)
        if process.leaves_processes():
            run.faults.append("leaves a process behind")
            end_session(process.session)
        run.shown, run.said = beginning_of(texts / "stdout"), beginning_of(texts / "stderr")
        for path, most in ((texts / "stdout", MOST_SHOWN), (texts / "stderr", MOST_SAID)):
            if path.stat().st_size > most:
                run.faults.append(f"writes {path.stat().st_size} bytes to {path.name}")
        run.faults += [f"changes {name}" for name, raw in there.items() if (folder / name).read_bytes() != raw]
        judge(run, most_bytes, folder, set(there) | ({"out.pt"} if run.code != 2 else set()))
        return run


# ---- Zip archives ----------------------------------------------------------------------------------------------------


@dataclass
class Entry:
    """A record. What is None is written as it has to be; `lies` of the two headers hold what is written instead."""

    name: bytes
    data: bytes = b""
    deflated: bool = False
    packed: bytes = None  # the bytes in the file, where they are not those of `data`
    size: int = None
    crc: int = None
    flags: int = 0x0800
    method: int = None
    local: dict = field(default_factory=dict)
    central: dict = field(default_factory=dict)
    extra_local: bytes = b""
    extra_central: bytes = b""
    at: int = None  # where the directory says that it is


def facts_of(entry):
    packed = entry.packed
    if packed is None:
        packed = entry.data
        if entry.deflated:
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            packed = packer.compress(entry.data) + packer.flush()
    facts = {
        "name": entry.name, "flags": entry.flags, "packed": len(packed), "version": 20,
        "method": (8 if entry.deflated else 0) if entry.method is None else entry.method,
        "crc": zlib.crc32(entry.data) if entry.crc is None else entry.crc,
        "size": len(entry.data) if entry.size is None else entry.size,
    }
    return facts, packed


def zip_of(entries, count=None, comment=b"", directory_at=None, directory_size=None, disks=0, before=b"", tail=None):
    """An archive; the other arguments are for lies at its end. `before` stands in front of it."""
    out = bytearray(before)
    directory = bytearray()
    for entry in entries:
        facts, packed = facts_of(entry)
        there = entry.at if entry.at is not None else len(out)
        if entry.at is None:
            f = facts | entry.local
            out += struct.pack("<IHHHIIIIHH", 0x04034B50, f["version"], f["flags"], f["method"], 0x00210000, f["crc"],
                               f["packed"], f["size"], len(f["name"]), len(entry.extra_local))
            out += f["name"] + entry.extra_local + packed
        f = facts | entry.central
        directory += struct.pack("<IHHHHIIIIHHHHHII", 0x02014B50, 20, f["version"], f["flags"], f["method"], 0x00210000,
                                 f["crc"], f["packed"], f["size"], len(f["name"]), len(entry.extra_central), 0, 0, 0, 0,
                                 f.get("at", there))
        directory += f["name"] + entry.extra_central
    start = len(out)
    out += directory
    if tail is not None:
        return bytes(out) + tail(start, len(directory), len(entries))
    number = len(entries) if count is None else count
    number = min(number, 0xFFFF)
    out += struct.pack("<IHHHHIIH", 0x06054B50, disks, disks, number, number,
                       len(directory) if directory_size is None else directory_size,
                       start if directory_at is None else directory_at, len(comment))
    return bytes(out) + comment


def entries_of(path):
    with zipfile.ZipFile(path) as archive:
        return [Entry(info.filename.encode(), archive.read(info.filename), info.compress_type == 8)
                for info in archive.infolist()]


def zeros_deflated(mebibytes):
    """(packed, size, CRC-32) of so many MiB of zeros: one packed piece, many times."""
    piece = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packer.compress(piece), packer.flush(zlib.Z_FULL_FLUSH)
    packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(mebibytes):
        crc = zlib.crc32(piece, crc)
    return packed * mebibytes + b"\x03\x00", mebibytes << 20, crc


# ---- Pickles ---------------------------------------------------------------------------------------------------------


def text(string):
    raw = string if isinstance(string, bytes) else string.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def real(value):
    return b"G" + struct.pack(">d", value)


def named(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def tagged(items, kind):
    """A list whose type is given in words."""
    listed = b"](" + b"".join(items) + b"e"
    return named("torch.jit._pickle", "restore_type_tag") + tuple_of(listed, text(kind)) + b"R"


def storage(key="0", kind="FloatStorage", elements=4, device="cpu", module="torch"):
    return tuple_of(text("storage"), named(module, kind), text(key), text(device), number(elements)) + b"Q"


def tensor(offset=0, sizes=(4,), strides=(1,), rebuild="_rebuild_tensor_v2", held=None, more=None, **of_storage):
    hooks = named("collections", "OrderedDict") + b")R"
    more = [b"\x89", hooks] if more is None else more
    return named("torch._utils", rebuild) + tuple_of(
        held or storage(**of_storage), number(offset), tuple_of(*map(number, sizes)), tuple_of(*map(number, strides)),
        *more) + b"R"


def instance(cls, fields, module="__torch__"):
    values = b"".join(text(name) + value for name, value in fields)
    return named(module, cls) + b")\x81}(" + values + b"ub"


def pickle(value):
    return b"\x80\x02" + value + b"."


FALSE, TRUE, NONE = b"\x89", b"\x88", b"N"

# ---- Networks --------------------------------------------------------------------------------------------------------

FOUR_ONES = struct.pack("<4f", 1, 1, 1, 1)


def records(code, data, tensors=None, constants=pickle(b")"), version=b"3\n", more=()):
    """The entries of a TorchScript archive."""
    files = [("data.pkl", data)]
    files += [(f"data/{key}", raw) for key, raw in (tensors or {"0": FOUR_ONES}).items()]
    files += [(f"code/{name}", source) for name, source in code.items()]
    files += [("constants.pkl", constants), ("version", version), ("byteorder", b"little")]
    files += list(more)
    return [Entry(b"archive/" + name.encode(), raw if isinstance(raw, bytes) else raw.encode()) for name, raw in files]


def indented(lines, columns):
    return "".join(" " * columns + line + "\n" for line in lines.strip("\n").split("\n"))


def source(forward="return torch.mul(x, self.weight)", fields=(), methods="", before="", arguments="x: Tensor",
           result="Tensor"):
    declared = "".join(f"  {name} : {kind}\n" for name, kind, _ in fields)
    return (f"{before}class M(Module):\n  __parameters__ = [\"weight\", ]\n  __buffers__ = []\n  training : bool\n"
            f"  weight : Tensor\n{declared}{indented(methods, 2) if methods else ''}"
            f"  def forward(self: __torch__.M,\n    {arguments}) -> {result}:\n{indented(forward, 4)}")


def state(fields=(), weight=None):
    own = [("training", FALSE), ("weight", tensor() if weight is None else weight)]
    return pickle(instance("M", own + [(name, value) for name, _, value in fields]))


def network(forward="return torch.mul(x, self.weight)", fields=(), methods="", before="", weight=None, tensors=None,
            arguments="x: Tensor", result="Tensor", zipped=None, **more):
    """A file with one module, which has a weight of four ones and these fields: (name, type, pickle of the value)."""
    code = {"__torch__.py": source(forward, fields, methods, before, arguments, result)}
    return zip_of(records(code, state(fields, weight), tensors, **more), **(zipped or {}))


def kept(lines):
    """With a use of the last value: LibTorch leaves out what nothing uses."""
    names = re.findall(r"^(\w+) = ", lines, re.MULTILINE)
    return lines.strip("\n") + (f"\nprint({names[-1]})" if names else "")


def run_of(lines):
    """A network whose forward has these lines first."""
    return network(kept(lines) + "\nreturn torch.mul(x, self.weight)")


def at_load(lines, before=""):
    """A network with a submodule whose __setstate__, which a load runs, has these lines."""
    child = (f"{before}class S(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
             "  def __getstate__(self: __torch__.S) -> int:\n    return 1\n"
             f"  def __setstate__(self: __torch__.S,\n    state: int) -> NoneType:\n{indented(kept(lines), 4)}"
             "    self.training = False\n    return None\n")
    held = named("__torch__", "S") + b")\x81" + number(1) + b"b"
    return network(fields=[("child", "__torch__.S", held)], before=child)


def of_weight(**changes):
    """A network whose weight's tensor is not what its record holds."""
    return network(weight=tensor(**changes))


def with_entries(change, **zipped):
    """An honest file, of whose entries `change` makes others."""
    entries = records({"__torch__.py": source()}, state())
    return zip_of(change(entries) or entries, **zipped)


def with_pickle(data):
    return zip_of(records({"__torch__.py": source()}, data))


def of_any(value, kind="Any"):
    """A network with a field of any type, whose pickle this is."""
    return network(fields=[("held", kind, value)])


def doubled(first, again, times, last):
    return first + "\n" + "\n".join([again] * times) + "\n" + last


# ---- Evil models -----------------------------------------------------------------------------------------------------
# What has to happen. Every command accepts it, or every one refuses it; those that run the network do not succeed
# (`inspect` may); or there is no fault, whatever the exit code.
FINE, REFUSED, STOPPED, CONTAINED = "accepted", "refused", "stopped", "harmless"


@dataclass
class Recipe:
    name: str
    expected: str
    tries: str
    make: object  # gives the file's bytes, or a Place
    dims: str = "2,4"


@dataclass
class Place:
    """A recipe that is more than a file's bytes."""

    content: bytes = None
    at: object = None  # makes the input's path in a folder
    prepare: object = None  # puts something into the working folder, and returns its names
    during: object = None  # is given the path, runs beside the program


def packed(config=None, length=11, scales=5, axis=0, bias=5):
    """A quantized convolution of 5 channels, whose packed weights are as given."""
    settings = dict(enumerate([2, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0])) | (config or {})
    shorts = struct.pack("<11h", *settings.values())[: 2 * length]
    held = named("collections", "OrderedDict") + b")R"
    scheme = tuple_of(named("torch", "per_channel_affine"),
                      tensor(key="2", kind="DoubleStorage", elements=scales, sizes=(scales,)),
                      tensor(key="3", kind="LongStorage", elements=scales, sizes=(scales,)), number(axis))
    weight = tensor(rebuild="_rebuild_qtensor", key="1", kind="QInt8Storage", elements=135, sizes=(5, 3, 3, 3),
                    strides=(27, 9, 3, 1), more=[scheme, FALSE, held])
    lists = [named("torch.jit._pickle", "build_tensorlist") + tuple_of(
        b"](" + tensor(key="4", kind="ShortStorage", elements=length, sizes=(length,)) + weight + b"e") + b"R",
        tagged([tensor(key="5", elements=bias, sizes=(bias,))], "List[Optional[Tensor]]")]
    cls = ("__torch__.torch.classes.quantized", "Conv2dPackedParamsBase")
    field_value = named(*cls) + b")\x81" + text("2") + b"".join(lists) + b"\x87b"
    return network("q = torch.quantize_per_tensor(x, 0.05, 127, 13)\np = self.p\n"
                   "return torch.dequantize(ops.quantized.conv2d(q, p, 0.05, 128))",
                   fields=[("p", ".".join(cls), field_value)],
                   tensors={"0": FOUR_ONES, "1": bytes(range(135)), "2": struct.pack(f"<{scales}d", *[0.1] * scales),
                            "3": bytes(8 * scales), "4": shorts, "5": bytes(4 * bias)})


def nested(opening, closing, times, middle="x"):
    return opening * times + middle + closing * times


def chain_of_functions(count, calls=1, end="torch.add(x, 1)"):
    """Functions, each of which calls the one before so many times."""
    text_of = [f"def f0(x: Tensor) -> Tensor:\n  return {end}\n"]
    for k in range(1, count):
        inner = "x"
        for _ in range(calls):
            inner = f"__torch__.f{k - 1}({inner})"
        text_of.append(f"def f{k}(x: Tensor) -> Tensor:\n  return {inner}\n")
    return network(f"return __torch__.f{count - 1}(x)", before="".join(text_of))


def chain_of_modules(count):
    classes, held = [], instance("C0", [("training", FALSE)])
    head = "  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
    classes.append(f"class C0(Module):\n{head}  def forward(self: __torch__.C0,\n    x: Tensor) -> Tensor:\n"
                   "    return x\n")
    for k in range(1, count):
        classes.append(f"class C{k}(Module):\n{head}  c : __torch__.C{k - 1}\n  def forward(self: __torch__.C{k},\n"
                       "    x: Tensor) -> Tensor:\n    c = self.c\n    return (c).forward(x, )\n")
        held = instance(f"C{k}", [("training", FALSE), ("c", held)])
    return network("c = self.c\nreturn (c).forward(x, )", fields=[("c", f"__torch__.C{count - 1}", held)],
                   before="".join(classes))


def modules_shared(levels):
    """Each module holds the next one twice, as one object: a tree of 2 to the levels paths."""
    head = "  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
    classes = [f"class C0(Module):\n{head}"]
    held = instance("C0", [("training", FALSE)]) + b"r" + struct.pack("<I", 0)
    for k in range(1, levels):
        classes.append(f"class C{k}(Module):\n{head}  a : __torch__.C{k - 1}\n  b : __torch__.C{k - 1}\n")
        held = instance(f"C{k}", [("training", FALSE), ("a", held), ("b", b"j" + struct.pack("<I", k - 1))])
        held += b"r" + struct.pack("<I", k)
    return network(fields=[("c", f"__torch__.C{levels - 1}", held)], before="".join(classes))


def many_modules(count):
    head = "  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
    names = [f"m{k}" for k in range(count)]
    return network(fields=[(name, "__torch__.C", instance("C", [("training", FALSE)])) for name in names],
                   before=f"class C(Module):\n{head}")


def many_fields(count):
    return network(fields=[(f"a{k}", "int", number(k)) for k in range(count)])


def laughs(levels, kind="tuple"):
    """Tuples or lists that hold the one before ten times, by the memo."""
    out = text("ha") + b"r" + struct.pack("<I", 0)
    for k in range(1, levels):
        items = out + (b"j" + struct.pack("<I", k - 1)) * 9
        out = (b"(" + items + b"t" if kind == "tuple" else b"](" + items + b"e") + b"r" + struct.pack("<I", k)
    return out


def deep_instances(count):
    """Objects in objects, through a field of any type."""
    opening = (named("__torch__", "N") + b")\x81}(" + text("held")) * count
    return network(fields=[("n", "__torch__.N", opening + NONE + b"ub" * count)],
                   before="class N(Module):\n  __parameters__ = []\n  __buffers__ = []\n  held : Any\n")


def types_doubled(levels):
    """Tuple types by name, each of which holds the one before twice."""
    out = ["class T0(NamedTuple):\n  a : int\n  b : int\n"]
    for k in range(1, levels):
        out.append(f"class T{k}(NamedTuple):\n  a : __torch__.T{k - 1}\n  b : __torch__.T{k - 1}\n")
    return network(f"y = annotate(Optional[__torch__.T{levels - 1}], None)\nreturn torch.mul(x, self.weight)",
                   before="".join(out))


def archive_of_one(name, **facts):
    """An honest file, and an entry with this name."""
    return with_entries(lambda entries: entries + [Entry(name, b"stray", **facts)])


def renamed(name, new):
    def change(entries):
        for entry in entries:
            if entry.name == b"archive/" + name:
                entry.name = new

    return with_entries(change)


def lying(record, where, **facts):
    def change(entries):
        for entry in entries:
            if entry.name == b"archive/" + record:
                getattr(entry, where).update(facts)

    return with_entries(change)


def changed(record, **attributes):
    def change(entries):
        for entry in entries:
            if entry.name == b"archive/" + record:
                for key, value in attributes.items():
                    setattr(entry, key, value)

    return with_entries(change)


def overlapping(count, mebibytes):
    """Many names for the same packed bytes."""
    packed, size, crc = zeros_deflated(mebibytes)

    def change(entries):
        bomb = Entry(b"archive/data/1", packed=packed, size=size, crc=crc, deflated=True)
        rest = [Entry(b"archive/data/%d" % k, packed=packed, size=size, crc=crc, deflated=True, at=0)
                for k in range(2, count)]
        return [bomb, *rest, *entries]

    return with_entries(change)


def bomb_entry(mebibytes, name=b"archive/extra/bomb", said=None):
    packed, size, crc = zeros_deflated(mebibytes)
    bomb = Entry(name, packed=packed, size=size if said is None else said, crc=crc, deflated=True)
    return with_entries(lambda entries: entries + [bomb])


def zip64(**numbers):
    """An archive whose end is in zip64's words, with these numbers for the true ones."""

    def tail(start, size, count):
        n = {"count": count, "size": size, "start": start, "at": start + size} | numbers
        end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, n["count"], n["count"], n["size"], n["start"])
        locator = struct.pack("<IIQI", 0x07064B50, 0, n["at"], 1)
        return end + locator + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)

    return with_entries(lambda entries: entries, tail=tail)


def two_archives(hidden):
    """An honest archive, whose comment is another one, with offsets that are right in this file.

    libzip takes the end of an archive that leaves less of the file unused: the honest one has to be the larger.
    """
    honest = with_entries(lambda entries: entries + [Entry(b"archive/extra/large", bytes(range(256)) * 64)])
    inner = zip_of(hidden, before=honest)[len(honest):]
    return honest[:-2] + struct.pack("<H", len(inner)) + inner


def shrinking(after):
    large = bytes(4 << 20) * 16
    content = zip_of(records({"__torch__.py": source("return torch.mul(x, torch.slice(self.weight, 0, 0, 4))")},
                             state(weight=tensor(sizes=(16 << 20,), elements=16 << 20)), {"0": large}))

    def during(path):
        time.sleep(after)
        os.truncate(path, 5000)

    return Place(content, during=during)


def symlink_to_honest(folder):
    (folder / "real.pt").write_bytes(network())
    (folder / "model.pt").symlink_to("real.pt")
    return folder / "model.pt"


def symlink_to_itself(folder):
    (folder / "model.pt").symlink_to("model.pt")
    return folder / "model.pt"


def fifo(folder):
    os.mkfifo(folder / "model.pt")
    return folder / "model.pt"


def subfolder(folder):
    (folder / "model.pt").mkdir()
    return folder / "model.pt"


def hostile_name(folder):
    path = folder / "a\x1b[31m\r\n\x07.pt"
    path.write_bytes(network())
    return path


def output_is_symlink(folder):
    (folder / "precious").write_bytes(b"precious")
    (folder / "out.pt").symlink_to("precious")
    return ["precious", "out.pt"]


LOOP = "while True:\n  x = torch.add(x, 1)"
QUIET_LOOP = "n = 0\nwhile True:\n  n = torch.add(n, 1)"
ESCAPES = "\\033[2J\\007\\033]0;evil\\007"  # as TorchScript spells them
NESTED_LISTS = lambda n: b"]" * n + b"a" * (n - 1)
MIB_OF_A = "a" * (1 << 20)

RECIPES = [
    Recipe("honest", FINE, "nothing: shows that the files are made rightly", network),
    Recipe("honest-setstate", FINE, "nothing: a submodule with __setstate__", lambda: at_load("x = 1")),
    # -- Files, programs and other machines
    Recipe("save-in-forward", REFUSED, "writes a file in forward", lambda: run_of('torch.save(x, "stray")')),
    Recipe("save-by-ops", REFUSED, "the same, through ops.aten", lambda: run_of('ops.aten.save(x, "stray")')),
    Recipe("save-at-load", REFUSED, "writes a file in __setstate__", lambda: at_load('torch.save(state, "stray")')),
    Recipe("save-in-method", REFUSED, "writes a file in a method that nothing calls", lambda: network(
        methods='def other(self: __torch__.M) -> NoneType:\n  torch.save(1, "stray")\n  return None')),
    Recipe("save-in-function", REFUSED, "writes a file in a function", lambda: network(
        "return __torch__.f(x)", before='def f(x: Tensor) -> Tensor:\n  torch.save(x, "stray")\n  return x\n')),
    Recipe("from-file", REFUSED, "maps a file into a tensor, and writes to it",
           lambda: run_of('y = torch.from_file("stray", True, 16)\ny0 = torch.fill_(y, 1)')),
    Recipe("from-file-at-load", REFUSED, "the same in __setstate__",
           lambda: at_load('y = torch.from_file("stray", True, 16)')),
    Recipe("from-file-out", REFUSED, "the same through the variant with an output",
           lambda: run_of('y = ops.aten.from_file(x, "stray", True, 16)')),
    Recipe("torch-load", REFUSED, "reads another pickle", lambda: run_of('y = torch.load("/etc/passwd")')),
    Recipe("os-system", REFUSED, "runs a program as Python would", lambda: run_of('os.system("touch stray")')),
    Recipe("python-builtins", REFUSED, "opens a file as Python would", lambda: run_of('y = open("stray", "w")')),
    Recipe("python-op", REFUSED, "calls Python", lambda: run_of('ops.prim.PythonOp("eval", "1")')),
    Recipe("pickle-system", REFUSED, "calls os.system in the pickle", lambda: with_pickle(
        pickle(named("os", "system") + tuple_of(text("touch stray")) + b"R"))),
    Recipe("pickle-eval", REFUSED, "calls eval in a field's pickle", lambda: of_any(
        named("builtins", "eval") + tuple_of(text("open('stray','w')")) + b"R")),
    Recipe("rpc", REFUSED, "calls another machine", lambda: run_of('y = ops.prim.rpc_async("other", "f", (x,))')),
    Recipe("c10d", REFUSED, "sends to a group of processes",
           lambda: run_of('y = ops._c10d_functional.all_reduce(x, "sum", "default")')),
    Recipe("c10d-class", CONTAINED, "may hold a group of processes, and holds none", lambda: of_any(
        NONE, "Optional[__torch__.torch.classes.c10d.ProcessGroup]")),
    Recipe("unknown-class", REFUSED, "holds a class of no library", lambda: of_any(
        NONE, "Optional[__torch__.torch.classes.evil.Shell]")),
    # -- Memory that is not the file's
    Recipe("alias-write", STOPPED, "writes beyond a tensor through _reshape_alias", lambda: run_of(
        "y = torch._reshape_alias(x, [1000000000], [1])\ny0 = torch.fill_(y, 1)")),
    Recipe("alias-read", STOPPED, "shows memory beyond a tensor through _reshape_alias", lambda: network(
        "return torch.clone(torch._reshape_alias(x, [4096], [1]))")),
    Recipe("reinterpret-read", STOPPED, "the same through inductor's operator", lambda: network(
        "return torch.clone(ops.inductor._reinterpret_tensor(x, [4096], [1], 0))")),
    Recipe("reinterpret-write-at-load", REFUSED, "writes before a tensor at load", lambda: at_load(
        "y = ops.inductor._reinterpret_tensor(torch.zeros([16]), [4096], [1], -2048)\ny0 = torch.fill_(y, 1)")),
    Recipe("as-strided", STOPPED, "reads beyond a tensor through as_strided", lambda: network(
        "return torch.clone(torch.as_strided(x, [4096], [1], 0))")),
    Recipe("unsafe-index", STOPPED, "reads far outside through _unsafe_index", lambda: network(
        "i = torch.add(torch.zeros([4], dtype=4), 1000000000000)\nreturn torch._unsafe_index(x, [i])")),
    Recipe("unsafe-index-put", STOPPED, "writes far outside through _unsafe_index_put", lambda: network(
        "i = torch.add(torch.zeros([4], dtype=4), 1000000000000)\n"
        "return torch._unsafe_index_put(x, [i], torch.ones([4, 4]))")),
    Recipe("pool-read", STOPPED, "the same through the other operator of inductor", lambda: network(
        "return torch.clone(ops.inductor._alloc_from_pool(torch.zeros([16]), 64, 6, [4096], [1]))")),
    Recipe("sparse-unsafe", CONTAINED, "a sparse tensor with an index outside, made dense", lambda: network(
        "i = torch.add(torch.zeros([1, 4], dtype=4), 100000)\n"
        "y = torch._sparse_coo_tensor_unsafe(i, torch.ones([4]), [4])\nreturn torch.to_dense(y)")),
    Recipe("sparse-rows-unsafe", STOPPED, "the same in rows, with columns outside", lambda: network(
        "r = torch.arange(5, dtype=4)\nc = torch.add(torch.zeros([4], dtype=4), 100000000000)\n"
        "y = torch._sparse_csr_tensor_unsafe(r, c, torch.ones([4]), [4, 4])\nreturn torch.mv(y, torch.ones([4]))")),
    Recipe("rows-to-pairs", STOPPED, "writes outside through a conversion of sparse indices", lambda: network(
        "r = torch.mul(torch.arange(2, dtype=4), 1000000000000)\nc = torch.zeros([1], dtype=4)\n"
        "return torch._convert_indices_from_csr_to_coo(r, c)")),
    Recipe("ctc-loss", STOPPED, "a loss of labels that are not there", lambda: network(
        "t = torch.add(torch.zeros([1, 2], dtype=4), 100000000000)\n"
        "return torch.ctc_loss(torch.zeros([4, 1, 3]), t, [4], [2])")),
    Recipe("segments-unsafe", STOPPED, "sums segments that are longer than the data", lambda: network(
        "n = torch.add(torch.zeros([1], dtype=4), 1000000000000)\n"
        'return torch.segment_reduce(torch.ones([4]), "sum", lengths=n, unsafe=True)')),
    Recipe("no-arguments", STOPPED, "an operator of any number of arguments gets none", lambda: network(
        "return ops.prim.VarConcat()")),
    Recipe("nnapi", CONTAINED, "loads a library of Android's by its name", lambda: network(
        "_0 = __torch__.torch.classes._nnapi.Compilation.__new__(__torch__.torch.classes._nnapi.Compilation)\n"
        "_1 = (_0).__init__()\nreturn x")),
    *[Recipe(f"packed-{name}", CONTAINED, f"packed weights of a quantized layer: {what}",
             lambda more=more: packed(**more),
             "1,3,8,8")
      for name, what, more in [
          ("honest", "as they should be", {}), ("dimensions", "30,000 dimensions", {"config": {0: 30000}}),
          ("dimensions-negative", "negative dimensions", {"config": {0: -7}}),
          ("groups-none", "no groups", {"config": {9: 0}}), ("groups-negative", "-1 groups", {"config": {9: -1}}),
          ("stride-none", "steps of 0", {"config": {1: 0, 2: 0}}),
          ("padding-negative", "negative padding", {"config": {3: -30000, 4: -30000}}),
          ("padding-huge", "huge padding", {"config": {3: 32767, 4: 32767}}),
          ("dilation-none", "dilation of 0", {"config": {5: 0, 6: 0}}),
          ("config-short", "settings that end early", {"length": 3}),
          ("config-empty", "no settings", {"length": 0}),
          ("scales-few", "one scale for all its channels", {"scales": 1}),
          ("scales-none", "no scales", {"scales": 0}), ("axis-outside", "scales along axis 77", {"axis": 77}),
          ("bias-short", "a bias of one number", {"bias": 1})]],
    Recipe("embedding-outside", STOPPED, "looks up rows that are not there", lambda: network(
        "i = torch.add(torch.zeros([4], dtype=4), 1000000000000)\nreturn torch.embedding(x, i)")),
    Recipe("nested-view", STOPPED, "a nested tensor with sizes outside of its buffer", lambda: network(
        "s = torch.add(torch.zeros([2, 1], dtype=4), 1000000000)\nt = torch.ones([2, 1], dtype=4)\n"
        "o = torch.zeros([2], dtype=4)\n"
        "y = torch._nested_view_from_buffer(torch.ravel(x), s, t, o)\nreturn torch.sum(torch.values(y))")),
    Recipe("unchecked-cast", STOPPED, "takes a number for a tensor", lambda: network(
        "y = annotate(Any, 4886718345)\nz = unchecked_cast(Tensor, y)\nreturn torch.add(z, 1)")),
    Recipe("unchecked-result", CONTAINED, "gives a number back for a tensor", lambda: network(
        "y = annotate(Any, 4886718345)\nreturn unchecked_cast(Tensor, y)")),
    Recipe("uninitialized", STOPPED, "uses a tensor that never was", lambda: network(
        "y = uninitialized(Tensor)\nreturn torch.add(y, 1)")),
    Recipe("uninitialized-list", STOPPED, "uses a list that never was", lambda: network(
        "y = uninitialized(List[Tensor])\nreturn torch.cat(y)")),
    Recipe("wrong-field-number", CONTAINED, "a tensor's field holds a number",
           lambda: network(weight=number(4886718345))),
    Recipe("wrong-field-tensor", CONTAINED, "a number's field holds a tensor", lambda: network(
        "return torch.mul(x, self.n)", fields=[("n", "int", tensor())])),
    Recipe("wrong-field-text", CONTAINED, "a list's field holds text", lambda: network(
        "return torch.reshape(x, self.n)", fields=[("n", "List[int]", text("evil"))])),
    Recipe("wrong-field-module", CONTAINED, "a module's field holds a number", lambda: network(
        "c = self.c\nreturn (c).forward(x, )", fields=[("c", "__torch__.C", number(1 << 40))],
        before="class C(Module):\n  __parameters__ = []\n  __buffers__ = []\n  def forward(self: __torch__.C,\n"
               "    x: Tensor) -> Tensor:\n    return x\n")),
    Recipe("wrong-list", CONTAINED, "a list of tensors holds numbers", lambda: network(
        "return torch.cat(self.n)", fields=[("n", "List[Tensor]", tagged([number(1), number(2)], "List[Tensor]"))])),
    Recipe("wrong-list-tag", CONTAINED, "a list of numbers is tagged as one of tensors", lambda: network(
        "return torch.cat(self.n)", fields=[("n", "List[Tensor]", tagged([number(1)], "List[int]"))])),
    Recipe("wrong-packed", CONTAINED, "packed weights of the wrong contents", lambda: network(
        "return x", fields=[("p", "__torch__.torch.classes.quantized.Conv2dPackedParamsBase", named(
            "__torch__.torch.classes.quantized", "Conv2dPackedParamsBase") + b")\x81" + tuple_of(
                text("2"), tagged([], "List[Tensor]"), tagged([], "List[Optional[Tensor]]")) + b"b")])),
    Recipe("object-in-itself", CONTAINED, "a module that holds itself", lambda: with_pickle(pickle(
        named("__torch__", "M") + b")\x81r" + struct.pack("<I", 9) + b"}(" + text("training") + FALSE + text("weight") +
        b"j" + struct.pack("<I", 9) + b"ub"))),
    Recipe("list-in-itself", CONTAINED, "a list that holds itself", lambda: of_any(
        b"]r" + struct.pack("<I", 7) + b"j" + struct.pack("<I", 7) + b"a")),
    Recipe("module-in-itself", CONTAINED, "a submodule that is its own parent", lambda: network(
        fields=[("c", "__torch__.C", named("__torch__", "C") + b")\x81r" + struct.pack("<I", 9) + b"}(" + text("c") +
                 b"j" + struct.pack("<I", 9) + b"ub")],
        before="class C(Module):\n  __parameters__ = []\n  __buffers__ = []\n  c : __torch__.C\n")),
    # -- Time
    Recipe("loop-at-load", REFUSED, "loops for ever in __setstate__", lambda: at_load("x = torch.ones([4])\n" + LOOP)),
    Recipe("quiet-loop-at-load", REFUSED, "the same without a tensor", lambda: at_load(QUIET_LOOP)),
    Recipe("loop-in-forward", STOPPED, "loops for ever in forward", lambda: run_of(LOOP)),
    Recipe("quiet-loop", STOPPED, "the same without a tensor", lambda: run_of(QUIET_LOOP)),
    Recipe("long-for", STOPPED, "counts to 2**62", lambda: run_of(
        "n = 0\nfor _0 in range(4611686018427387904):\n  n = torch.add(n, 1)")),
    Recipe("long-for-constant", CONTAINED, "the same of constants alone", lambda: run_of(
        "for _0 in range(4611686018427387904):\n  pass")),
    Recipe("one-long-operator", STOPPED, "one operator that takes for ever", lambda: run_of(
        "y = torch.linalg_matrix_power(torch.ones([1500, 1500]), 1000000000000000001)")),
    Recipe("recursive-function", REFUSED, "a function that calls itself", lambda: network(
        "return __torch__.f(x)", before="def f(x: Tensor) -> Tensor:\n  return __torch__.f(x)\n")),
    Recipe("recursive-pair", REFUSED, "two functions that call each other", lambda: network(
        "return __torch__.f(x)", before="def f(x: Tensor) -> Tensor:\n  return __torch__.g(x)\n"
        "def g(x: Tensor) -> Tensor:\n  return __torch__.f(x)\n")),
    Recipe("recursive-method", REFUSED, "forward calls itself", lambda: network("return (self).forward(x, )")),
    Recipe("calls-doubled", CONTAINED, "functions that call the next twice, 40 levels",
           lambda: chain_of_functions(40, 2)),
    Recipe("chain-of-functions", CONTAINED, "10,000 functions, each calling the next",
           lambda: chain_of_functions(10000)),
    Recipe("chain-of-modules", CONTAINED, "2,000 modules, one in the other", lambda: chain_of_modules(2000)),
    Recipe("modules-shared", CONTAINED, "modules that hold the next twice, 40 levels", lambda: modules_shared(40)),
    Recipe("types-doubled", CONTAINED, "tuple types that hold the next twice, 60 levels", lambda: types_doubled(60)),
    Recipe("prints", CONTAINED, "prints without end", lambda: run_of(
        f'while True:\n  print("{"evil" * 100}")')),
    Recipe("prints-escapes", CONTAINED, "prints escape codes", lambda: run_of(f'print("{ESCAPES}")')),
    Recipe("prints-at-load", REFUSED, "prints without end at load", lambda: at_load(
        f'while True:\n  print("{"evil" * 100}")')),
    Recipe("warns", CONTAINED, "warns without end", lambda: run_of('while True:\n  torch.warn("evil", 2)')),
    Recipe("forked-loop", CONTAINED, "loops for ever in a thread of LibTorch's pool", lambda: network(
        "_0 = torch.fork(__torch__.f, x)\nreturn x",
        before=f"def f(x: Tensor) -> Tensor:\n{indented(LOOP, 2)}  return x\n")),
    # -- Memory
    Recipe("zeros", STOPPED, "makes a tensor of 4 TiB", lambda: run_of("y = torch.zeros([1099511627776])")),
    Recipe("zeros-touched", STOPPED, "makes a tensor of 8 GiB", lambda: run_of("y = torch.ones([2147483648])")),
    Recipe("zeros-at-load", REFUSED, "the same at load", lambda: at_load("y = torch.ones([2147483648])")),
    Recipe("expand", STOPPED, "makes a small tensor's large view contiguous", lambda: run_of(
        "y = torch.contiguous(torch.expand(torch.ones([1]), [2147483648]))")),
    Recipe("cat", STOPPED, "doubles a tensor without end", lambda: run_of("while True:\n  x = torch.cat([x, x])")),
    Recipe("doubled-text", STOPPED, "doubles a string without end", lambda: run_of(
        's = "evil"\nwhile True:\n  s = torch.add(s, s)')),
    Recipe("doubled-text-at-load", REFUSED, "the same at load", lambda: at_load(
        's = "evil"\nwhile True:\n  s = torch.add(s, s)')),
    Recipe("doubled-text-constant", CONTAINED, "the same with constants, 40 times", lambda: run_of(
        doubled('s = "evil"', "s = torch.add(s, s)", 40, "print(s)"))),
    Recipe("doubled-list", STOPPED, "doubles a list without end", lambda: run_of(
        "s = [1, 2]\nwhile True:\n  s = torch.add(s, s)")),
    Recipe("list-times", STOPPED, "a list times 2**33", lambda: run_of("s = torch.mul([1], 8589934592)")),
    Recipe("list-of-range", STOPPED, "a list of 2**33 numbers", lambda: run_of(
        "s = annotate(List[int], [])\nfor i in range(8589934592):\n  _0 = torch.append(s, i)")),
    Recipe("padded-text", STOPPED, "pads a string to 2**34 characters",
           lambda: run_of('s = torch.ljust("a", 17179869184)')),
    Recipe("tensors-kept", STOPPED, "keeps small tensors in a list, without end", lambda: run_of(
        "s = annotate(List[Tensor], [])\nwhile True:\n  _0 = torch.append(s, torch.ones([1000]))")),
    Recipe("constants-folded", CONTAINED, "constants that are large once they are computed", lambda: network(
        "y = torch.zeros([2147483648])\nreturn torch.add(x, torch.sum(y))")),
    Recipe("constants-folded-list", CONTAINED, "the same with a list", lambda: network(
        "y = torch.mul([1], 2147483648)\nreturn torch.add(x, torch.len(y))")),
    Recipe("conv-of-huge-padding", CONTAINED, "a convolution padded to 2**40", lambda: network(
        "y = torch.conv2d(torch.ones([1, 1, 4, 4]), torch.ones([1, 1, 2, 2]), None, [1, 1], [1099511627776, 1])\n"
        "return torch.add(x, torch.sum(y))")),
    Recipe("forked-memory", STOPPED, "fills the memory in a thread of LibTorch's pool", lambda: network(
        "_0 = torch.fork(__torch__.f, x)\nreturn torch.wait(_0)",
        before="def f(x: Tensor) -> Tensor:\n  while True:\n    x = torch.cat([x, x])\n  return x\n")),
    # -- Depth and size of code
    Recipe("parentheses", REFUSED, "10,000 parentheses", lambda: network(f"return {nested('(', ')', 10000)}")),
    Recipe("parentheses-million", REFUSED, "a million parentheses", lambda: network(
        f"return {nested('(', ')', 1000000)}")),
    Recipe("calls-nested", REFUSED, "20,000 calls, one in the other", lambda: network(
        f"return {nested('torch.neg(', ')', 20000)}")),
    Recipe("lists-nested", REFUSED, "10,000 lists, one in the other",
           lambda: run_of(f"y = {nested('[', ']', 10000)}")),
    Recipe("minus-nested", REFUSED, "100,000 signs", lambda: run_of(f"y = {'-' * 100000}1")),
    Recipe("nots-nested", REFUSED, "50,000 nots", lambda: run_of(f"y = {'not ' * 50000}True")),
    Recipe("sum-chain", REFUSED, "a sum of 100,000 terms", lambda: network(f"return x{' + x' * 100000}")),
    Recipe("ifs-nested", REFUSED, "2,000 ifs, one in the other", lambda: network(
        "\n".join(" " * k + "if torch.gt(torch.dim(x), 1):" for k in range(2000)) + "\n" + " " * 2000 +
        "x = x\nreturn x")),
    Recipe("elifs", REFUSED, "20,000 branches", lambda: network(
        "if torch.eq(torch.dim(x), 0):\n  x = x\n" + "elif torch.eq(torch.dim(x), 1):\n  x = x\n" * 20000 +
        "return x")),
    Recipe("lines", CONTAINED, "a million lines", lambda: network("y = x\n" * 1000000 + "return y")),
    Recipe("operators-many", CONTAINED, "100,000 operators",
           lambda: network("x = torch.neg(x)\n" * 100000 + "return x")),
    Recipe("type-nested", REFUSED, "a type of 20,000 lists", lambda: of_any(
        NONE, f"Optional[{nested('List[', ']', 20000, 'int')}]")),
    Recipe("tag-nested", REFUSED, "a list whose tag is a type of 100,000 lists", lambda: of_any(
        tagged([], nested("List[", "]", 100000, "int")))),
    Recipe("text-huge", CONTAINED, "a string of 32 MiB in the code", lambda: run_of(f'y = "{MIB_OF_A * 32}"')),
    Recipe("number-huge", CONTAINED, "a number of a million digits", lambda: run_of(f"y = {'9' * 1000000}")),
    Recipe("float-huge", CONTAINED, "a float of a million digits", lambda: run_of(f"y = 0.{'9' * 1000000}e99999")),
    Recipe("name-huge", CONTAINED, "a name of a million letters", lambda: network(
        f"{'a' * 1000000} = x\nreturn {'a' * 1000000}")),
    Recipe("constant-missing", CONTAINED, "a constant that is not there", lambda: run_of(
        "y = CONSTANTS.c99999999999")),
    Recipe("class-missing", REFUSED, "a class that is not there",
           lambda: of_any(NONE, "Optional[__torch__.nowhere.X]")),
    Recipe("class-of-itself", CONTAINED, "a class whose field is of its own type", lambda: network(
        fields=[("r", "Optional[__torch__.R]", NONE)], before="class R(NamedTuple):\n  r : Optional[__torch__.R]\n")),
    Recipe("class-in-circle", CONTAINED, "two classes, each with a field of the other", lambda: network(
        fields=[("r", "Optional[__torch__.R]", NONE)],
        before="class R(NamedTuple):\n  s : Optional[__torch__.S]\n"
               "class S(NamedTuple):\n  r : Optional[__torch__.R]\n")),
    Recipe("code-binary", REFUSED, "code of arbitrary bytes", lambda: zip_of(records(
        {"__torch__.py": bytes(range(256)) * 100}, state()))),
    Recipe("code-nul", CONTAINED, "a NUL in the code", lambda: zip_of(records(
        {"__torch__.py": source() + "\0" + source()}, state()))),
    Recipe("code-tabs", CONTAINED, "tabs and odd line ends in the code", lambda: zip_of(records(
        {"__torch__.py": source().replace("    ", "\t").replace("\n", "\r\n")}, state()))),
    Recipe("code-not-utf8", CONTAINED, "strings that are no UTF-8 in the code", lambda: zip_of(records(
        {"__torch__.py": source('print("EVIL")\nreturn x').encode().replace(b"EVIL", b"\xff\xfe\xc0\x80")}, state()))),
    Recipe("modules-many", CONTAINED, "100,000 modules", lambda: many_modules(100000)),
    Recipe("fields-many", CONTAINED, "300,000 fields", lambda: many_fields(300000)),
    # -- Depth and size of pickles
    Recipe("tuples-deep", CONTAINED, "100,000 tuples, one in the other", lambda: of_any(b")" + b"\x85" * 100000)),
    Recipe("lists-deep", CONTAINED, "a million lists, one in the other", lambda: of_any(NESTED_LISTS(1000000))),
    Recipe("dicts-deep", CONTAINED, "a million dictionaries, one in the other", lambda: of_any(
        (b"}" + text("k")) * 1000000 + NONE + b"s" * 1000000)),
    Recipe("instances-deep", CONTAINED, "200,000 objects, one in the other", lambda: deep_instances(200000)),
    Recipe("tuples-laugh", CONTAINED, "tuples of 10**30 items by the memo", lambda: of_any(laughs(30))),
    Recipe("lists-laugh", CONTAINED, "lists of 10**30 items by the memo", lambda: of_any(laughs(30, "list"))),
    Recipe("lists-laugh-typed", CONTAINED, "the same in a list of a type", lambda: of_any(
        tagged([laughs(12, "list")], "List[Any]"))),
    Recipe("list-of-nones", CONTAINED, "a list of 20 million items", lambda: of_any(b"](" + NONE * 20000000 + b"e")),
    Recipe("marks-many", CONTAINED, "20 million marks", lambda: with_pickle(pickle(b"(" * 20000000))),
    Recipe("memo-far", CONTAINED, "a memo index of 2**32 - 1", lambda: of_any(NONE + b"r\xff\xff\xff\xff")),
    Recipe("text-length", REFUSED, "text of 4 GiB in a short pickle",
           lambda: with_pickle(b"\x80\x02X\xff\xff\xff\xffevil.")),
    Recipe("long-length", REFUSED, "a number of 255 bytes", lambda: of_any(b"\x8a\xff" + b"\x7f" * 255)),
    Recipe("pickle-empty", REFUSED, "a pickle without bytes", lambda: with_pickle(b"")),
    Recipe("pickle-stop", REFUSED, "a pickle that just stops", lambda: with_pickle(b"\x80\x02.")),
    Recipe("pickle-underflow", REFUSED, "takes more from the stack than is there", lambda: with_pickle(
        pickle(b"R\x81b\x87"))),
    Recipe("pickle-number", REFUSED, "the network is a number", lambda: with_pickle(pickle(number(1)))),
    Recipe("pickle-text", REFUSED, "the network is text", lambda: with_pickle(pickle(text("evil")))),
    Recipe("pickle-foreign", REFUSED, "the network is of a class of LibTorch's", lambda: with_pickle(pickle(
        instance("Conv2dPackedParamsBase", [], "__torch__.torch.classes.quantized")))),
    Recipe("constants-bomb", CONTAINED, "constants that hold each other ten times", lambda: network(
        constants=pickle(laughs(30)))),
    Recipe("constants-number", CONTAINED, "constants that are a number", lambda: network(constants=pickle(number(7)))),
    Recipe("fields-missing", REFUSED, "a module without its fields", lambda: with_pickle(pickle(instance("M", [])))),
    Recipe("fields-text-names", CONTAINED, "a field with escape codes for a name", lambda: network(
        fields=[("n", "int", number(1) + text("\x1b[2J\x07") + number(2))])),
    # -- Tensors
    Recipe("storage-small", REFUSED, "a tensor of 2**20 elements in 16 bytes", lambda: of_weight(
        sizes=(1 << 20,), elements=1 << 20)),
    Recipe("extent-beyond", REFUSED, "sizes that reach beyond the storage", lambda: of_weight(sizes=(5,))),
    Recipe("stride-beyond", REFUSED, "strides that reach beyond the storage", lambda: of_weight(strides=(1 << 40,))),
    Recipe("offset-beyond", REFUSED, "an offset beyond the storage", lambda: of_weight(offset=4)),
    Recipe("offset-negative", REFUSED, "an offset before the storage", lambda: of_weight(offset=-4)),
    Recipe("size-negative", REFUSED, "a negative size", lambda: of_weight(sizes=(-4,))),
    Recipe("stride-negative", REFUSED, "a negative stride", lambda: of_weight(offset=3, strides=(-1,))),
    Recipe("sizes-overflow", REFUSED, "sizes whose product is 0 in 64 bits", lambda: of_weight(
        sizes=(1 << 32, 1 << 32), strides=(1 << 32, 1))),
    Recipe("sizes-overflow-zero", REFUSED, "huge sizes with strides of 0", lambda: of_weight(
        sizes=(1 << 62, 1 << 62), strides=(0, 0))),
    Recipe("size-huge-stride-0", CONTAINED, "2**40 elements with a stride of 0", lambda: of_weight(
        sizes=(1 << 40,), strides=(0,))),
    Recipe("size-0-huge", CONTAINED, "no elements, and a size of 2**62", lambda: of_weight(
        sizes=(0, 1 << 62), strides=(1, 1))),
    Recipe("sizes-many", CONTAINED, "a tensor of 100,000 dimensions", lambda: of_weight(
        sizes=(1,) * 100000, strides=(1,) * 100000)),
    Recipe("strides-few", REFUSED, "fewer strides than sizes", lambda: of_weight(sizes=(2, 2))),
    Recipe("storage-unknown", REFUSED, "an unknown storage class", lambda: of_weight(kind="EvilStorage")),
    Recipe("storage-foreign", REFUSED, "a storage class of another module",
           lambda: of_weight(module="os", kind="system")),
    Recipe("storage-uint16", CONTAINED, "elements of type uint16", lambda: of_weight(kind="UInt16Storage")),
    Recipe("storage-float8", CONTAINED, "elements of type float8", lambda: of_weight(kind="Float8_e4m3fnStorage")),
    Recipe("storage-complex32", CONTAINED, "elements of type complex32", lambda: of_weight(kind="ComplexHalfStorage")),
    Recipe("storage-bits", CONTAINED, "elements of type bits8", lambda: of_weight(kind="Bits8Storage")),
    Recipe("storage-quantized", CONTAINED, "quantized elements without a scale",
           lambda: of_weight(kind="QInt8Storage")),
    Recipe("storage-quint4", CONTAINED, "elements of half a byte", lambda: of_weight(kind="QUInt4x2Storage")),
    Recipe("qtensor-axis", CONTAINED, "quantized by channel along axis 2**40", lambda: of_weight(
        rebuild="_rebuild_qtensor", kind="QInt8Storage", more=[
            tuple_of(named("torch", "per_channel_affine"), tensor(), tensor(), number(1 << 40)), FALSE,
            named("collections", "OrderedDict") + b")R"])),
    Recipe("qtensor-scale", CONTAINED, "quantized with a scale of NaN", lambda: of_weight(
        rebuild="_rebuild_qtensor", kind="QInt8Storage", more=[
            tuple_of(named("torch", "per_tensor_affine"), real(float("nan")), number(1 << 40)), FALSE,
            named("collections", "OrderedDict") + b")R"])),
    Recipe("sparse-tensor", CONTAINED, "a sparse tensor with wrong indices", lambda: network(weight=named(
        "torch._utils", "_rebuild_sparse_tensor") + tuple_of(named("torch", "sparse_coo"), tuple_of(
            tensor(), tensor(), tuple_of(number(1 << 40)))) + b"R")),
    Recipe("rebuild-meta", CONTAINED, "a tensor of another kind, with a size of 2**62", lambda: network(weight=named(
        "torch._utils", "_rebuild_meta_tensor_no_storage") + tuple_of(
            number(6), tuple_of(number(1 << 62)), tuple_of(number(1)), FALSE) + b"R")),
    Recipe("device-cuda", CONTAINED, "a tensor on a GPU", lambda: of_weight(device="cuda:0")),
    Recipe("device-meta", CONTAINED, "a tensor without memory", lambda: of_weight(device="meta")),
    Recipe("device-evil", CONTAINED, "a device of no name", lambda: of_weight(device="\x1b[2J")),
    Recipe("storage-key", CONTAINED, "a storage whose record leads out of the archive", lambda: of_weight(
        key="../../../../etc/passwd")),
    Recipe("storage-shared", CONTAINED, "one record as storages of two types", lambda: network(
        fields=[("n", "Tensor", tensor(kind="DoubleStorage", elements=2, sizes=(2,)))])),
    Recipe("storage-memo", CONTAINED, "a storage that is used in place of a tensor", lambda: network(weight=storage())),
    Recipe("nan-weights", CONTAINED, "NaN and infinity for weights", lambda: network(
        tensors={"0": struct.pack("<4f", float("nan"), float("inf"), -float("inf"), 1e-45)})),
    # -- Numbers
    Recipe("division-by-zero", STOPPED, "divides a number by zero", lambda: run_of("y = torch.floordiv(1, 0)")),
    Recipe("remainder-by-zero", STOPPED, "a remainder by zero", lambda: run_of("y = torch.remainder(1, 0)")),
    Recipe("division-overflow", CONTAINED, "divides the least number by -1", lambda: run_of(
        "y = torch.floordiv(torch.sub(-9223372036854775807, 1), -1)")),
    Recipe("remainder-overflow", CONTAINED, "the remainder of the same", lambda: run_of(
        "y = torch.remainder(torch.sub(-9223372036854775807, 1), -1)")),
    Recipe("tensor-division", CONTAINED, "divides a tensor of numbers by zero", lambda: run_of(
        "y = torch.floor_divide(torch.ones([4], dtype=4), torch.zeros([4], dtype=4))")),
    Recipe("shape-overflow", STOPPED, "a shape whose product overflows", lambda: run_of(
        "y = torch.zeros([4294967296, 4294967296, 4294967296])")),
    Recipe("shape-negative", STOPPED, "a negative shape", lambda: run_of("y = torch.zeros([-5])")),
    Recipe("shift", CONTAINED, "shifts by 2**40", lambda: run_of("y = torch.__lshift__(1, 1099511627776)")),
    Recipe("power", CONTAINED, "a huge power", lambda: run_of("y = torch.pow(10, 1000000000)")),
    Recipe("index-outside", STOPPED, "an index far outside of a list",
           lambda: run_of("y = ([1, 2])[4611686018427387904]")),
    Recipe("pad-outside", STOPPED, "pads by a negative number", lambda: run_of(
        "y = torch.constant_pad_nd(x, [-1000000000000, 0])")),
    Recipe("groups-zero", CONTAINED, "a convolution of no groups", lambda: run_of(
        "y = torch.conv2d(torch.ones([1, 1, 4, 4]), torch.ones([1, 1, 2, 2]), None, [1, 1], [0, 0], [1, 1], 0)")),
    Recipe("stride-zero", CONTAINED, "a convolution with steps of zero", lambda: run_of(
        "y = torch.conv2d(torch.ones([1, 1, 4, 4]), torch.ones([1, 1, 2, 2]), None, [0, 0], [0, 0], [1, 1], 1)")),
    Recipe("pool-zero", CONTAINED, "a pool of windows without size", lambda: run_of(
        "y = torch.max_pool2d(torch.ones([1, 1, 4, 4]), [0, 0], [0, 0], [0, 0], [0, 0])")),
    # -- Words on the terminal
    Recipe("raise-huge", STOPPED, "an error of 64 MiB", lambda: run_of(
        doubled('s = "evil"', "s = torch.add(s, s)", 24, 'ops.prim.RaiseException(s, "builtins.ValueError")'))),
    Recipe("raise-huge-at-load", REFUSED, "the same at load", lambda: at_load(
        doubled('s = "evil"', "s = torch.add(s, s)", 24, 'ops.prim.RaiseException(s, "builtins.ValueError")'))),
    Recipe("raise-escapes", STOPPED, "an error with escape codes", lambda: run_of(
        f'ops.prim.RaiseException("{ESCAPES}", "builtins.ValueError")')),
    Recipe("raise-escapes-at-load", REFUSED, "the same at load", lambda: at_load(
        f'ops.prim.RaiseException("{ESCAPES}", "builtins.ValueError")')),
    Recipe("constant-escapes", CONTAINED, "a constant with escape codes", lambda: network(
        before="class C(Module):\n  __parameters__ = []\n  __buffers__ = []\n"
               f'  padding_mode : Final[str] = "{ESCAPES}"\n', fields=[("c", "__torch__.C", instance("C", []))])),
    Recipe("setting-escapes", CONTAINED, "a layer's setting with escape codes", lambda: network(
        fields=[("mode", "str", text("\x1b[2J\x07\u009b2J"))])),
    Recipe("default-escapes", CONTAINED, "an argument's default with escape codes", lambda: network(
        "return x", arguments=f'x: Tensor,\n    s: str="{ESCAPES}"')),
    Recipe("extra-escapes", CONTAINED, "an extra file whose name has C1 codes", lambda: archive_of_one(
        "archive/extra/\u009b2J\u202eevil".encode())),
    Recipe("device-escapes", CONTAINED, "a code's device with escape codes", lambda: run_of(
        f'y = torch.zeros([1], dtype=None, layout=None, device=torch.device("{ESCAPES}"))')),
    Recipe("code-escapes", CONTAINED, "code with raw escape codes, which an error shows",
           lambda: run_of("y = \x1b[2J\x07")),
    Recipe("version-escapes", REFUSED, "a version with escape codes", lambda: network(version=b"\x1b[2J\x07\n")),
    # -- Records of the archive
    Recipe("version-none", CONTAINED, "no version", lambda: renamed(b"version", b"archive/other")),
    Recipe("version-huge", REFUSED, "a version of 30 digits", lambda: network(version=b"9" * 30)),
    Recipe("version-negative", REFUSED, "a negative version", lambda: network(version=b"-1\n")),
    Recipe("byteorder-big", CONTAINED, "says that it is big-endian", lambda: changed(b"byteorder", data=b"big")),
    Recipe("byteorder-evil", CONTAINED, "an unknown byte order", lambda: changed(b"byteorder", data=b"\x1b[2J" * 1000)),
    Recipe("debug-evil", CONTAINED, "a damaged record of source lines", lambda: network(
        more=[("code/__torch__.py.debug_pkl", pickle(tuple_of(text("FORMAT_WITH_STRING_TABLE"), number(1 << 40))))])),
    Recipe("debug-ranges", CONTAINED, "source lines that are far outside", lambda: network(
        more=[("code/__torch__.py.debug_pkl", pickle(tuple_of(
            tuple_of(number(0), tuple_of(tuple_of(number(0), number(1)), text("f"), number(1 << 40)), number(1)),
            tuple_of(number(9), tuple_of(text("x"), NONE, number(-5)), number(1 << 40)))))])),
    Recipe("debug-text-outside", REFUSED, "source lines whose text is far outside", lambda: network(
        more=[("code/__torch__.py.debug_pkl", pickle(
            text("FORMAT_WITH_STRING_TABLE") + text("x") + b"\x85" + number(0) +
            named("torch.jit._pickle", "build_intlist") + b"](" + number(1 << 40) + b"e\x85R" + 2 * number(0) + b"\x87" +
            2 * number(0) + b"\x87" + number(0) + b"\x87\x85\x87"))])),
    Recipe("bytecode-evil", CONTAINED, "mobile bytecode of nonsense", lambda: network(
        more=[("bytecode.pkl", pickle(tuple_of(number(1 << 40), text("evil"))))])),
    Recipe("empty-code", REFUSED, "no code", lambda: zip_of(records({"__torch__.py": ""}, state()))),
    Recipe("no-constants", REFUSED, "no constants", lambda: renamed(b"constants.pkl", b"archive/other")),
    Recipe("model-json", REFUSED, "the format of before 1.0", lambda: network(more=[("model.json", "{" * 100000)])),
    Recipe("model-json-deep", REFUSED, "the same, deep", lambda: zip_of([
        Entry(b"archive/version", b"1\n"), Entry(b"archive/code/a.py", b""),
        Entry(b"archive/model.json", b'{"a":' * 100000 + b"1" + b"}" * 100000)])),
    # -- Names
    *[Recipe(f"name-{word}", REFUSED, f"an entry's name {what}", lambda name=name: archive_of_one(name))
      for word, what, name in [
          ("dots", "leads out of the archive", b"archive/../../stray"), ("absolute", "is absolute", b"/tmp/stray"),
          ("backslash", "has a backslash", b"archive\\..\\stray"),
          ("drive", "has a drive letter and backslash", b"C:\\stray"),
          ("nul", "has a NUL", b"archive/a\0.pt"), ("control", "has control characters", b"archive/\x1b[2J\n\x07"),
          ("empty", "is empty", b""), ("other-top", "is the same as another", b"archive/version")]],
    Recipe("name-long", CONTAINED, "an entry's name of 65,535 bytes",
           lambda: archive_of_one(b"archive/" + b"a" * 65527)),
    Recipe("name-not-utf8", CONTAINED, "an entry's name is no UTF-8",
           lambda: archive_of_one(b"archive/extra/\xff\xfe\xc0\x80")),
    Recipe("name-case", REFUSED, "two entries that differ in case alone", lambda: archive_of_one(b"archive/DATA.PKL")),
    Recipe("name-two-tops", CONTAINED, "two top folders", lambda: archive_of_one(b"other/data.pkl")),
    Recipe("name-two-networks", CONTAINED, "two networks in one file", lambda: zip_of([
        *records({"__torch__.py": source()}, state()),
        *[Entry(b"other" + e.name[7:], e.data) for e in records({"__torch__.py": source("return x")}, state())]])),
    Recipe("name-twice-first", REFUSED, "two networks under one name", lambda: zip_of(
        2 * records({"__torch__.py": source()}, state()))),
    Recipe("name-local-other", CONTAINED, "another name before the data than in the directory", lambda: lying(
        b"data.pkl", "local", name=b"archive/evil.pkl")),
    Recipe("name-local-dots", CONTAINED, "a name before the data that leads out", lambda: lying(
        b"data.pkl", "local", name=b"../../stray.pkl")),
    # -- Lies about sizes
    Recipe("size-local", CONTAINED, "a size before the data of 2**31",
           lambda: lying(b"data.pkl", "local", size=1 << 31)),
    Recipe("packed-local", CONTAINED, "a packed size before the data of 2**31", lambda: lying(
        b"data.pkl", "local", packed=1 << 31)),
    Recipe("size-central", REFUSED, "a size in the directory of 2**31",
           lambda: lying(b"data.pkl", "central", size=1 << 31)),
    Recipe("sizes-central", REFUSED, "both sizes in the directory of 2**31", lambda: lying(
        b"data.pkl", "central", size=1 << 31, packed=1 << 31)),
    Recipe("size-central-less", REFUSED, "a size in the directory that is too small", lambda: lying(
        b"data.pkl", "central", size=3, packed=3)),
    Recipe("method-local", CONTAINED, "another method before the data", lambda: lying(b"data.pkl", "local", method=8)),
    Recipe("method-unknown", REFUSED, "a method that nobody has", lambda: changed(b"data.pkl", method=99)),
    Recipe("method-lzma", REFUSED, "packed by LZMA", lambda: changed(b"data.pkl", method=14)),
    Recipe("crc-wrong", REFUSED, "a wrong CRC-32", lambda: changed(b"data.pkl", crc=1)),
    Recipe("crc-zero", CONTAINED, "no CRC-32 at one entry", lambda: changed(b"data.pkl", crc=0)),
    Recipe("at-outside", REFUSED, "an entry that begins outside of the file", lambda: lying(
        b"data.pkl", "central", at=0x7FFFFFFF)),
    Recipe("at-directory", REFUSED, "an entry that begins in another", lambda: lying(b"data.pkl", "central", at=3)),
    Recipe("encrypted", REFUSED, "an encrypted entry", lambda: changed(b"data.pkl", flags=0x0801)),
    Recipe("encrypted-strong", REFUSED, "a strongly encrypted entry", lambda: changed(b"data.pkl", flags=0x0841)),
    Recipe("data-descriptor", CONTAINED, "says that the sizes come after the data", lambda: changed(
        b"data.pkl", flags=0x0808)),
    Recipe("extra-field-cut", CONTAINED, "an extra field that is longer than it is", lambda: changed(
        b"data.pkl", extra_central=b"\x01\x00\xff\xff", extra_local=b"\x01\x00\xff\xff")),
    Recipe("extra-field-zip64", REFUSED, "sizes of 2**63 in zip64's extra field", lambda: changed(
        b"data.pkl", central={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF},
        extra_central=struct.pack("<HHQQ", 1, 16, (1 << 63) + 5, 1 << 63))),
    # -- The archive's end
    Recipe("count-more", REFUSED, "more entries than there are", lambda: with_entries(lambda e: e, count=60000)),
    Recipe("count-less", REFUSED, "fewer entries than there are", lambda: with_entries(lambda e: e, count=3)),
    Recipe("count-none", REFUSED, "no entries", lambda: with_entries(lambda e: e, count=0)),
    Recipe("directory-outside", REFUSED, "a directory that begins outside", lambda: with_entries(
        lambda e: e, directory_at=0x7FFFFFFF)),
    Recipe("directory-at-0", REFUSED, "a directory that begins at 0",
           lambda: with_entries(lambda e: e, directory_at=0)),
    Recipe("directory-size", REFUSED, "a directory of 4 GiB",
           lambda: with_entries(lambda e: e, directory_size=0xFFFFFFF0)),
    Recipe("disks", CONTAINED, "an archive on several disks", lambda: with_entries(lambda e: e, disks=7)),
    Recipe("comment-zip", CONTAINED, "another archive in the comment", lambda: with_entries(
        lambda e: e, comment=zip_of([Entry(b"archive/data.pkl", b"evil")]))),
    Recipe("comment-network", REFUSED, "another network in the comment, whose tensor reaches beyond its record",
           lambda: two_archives(records({"__torch__.py": source()}, state(
               weight=tensor(elements=1 << 20, sizes=(1 << 20,)))))),
    Recipe("comment-leak", REFUSED, "the same, and reaches just beyond: what is in memory there would be written",
           lambda: two_archives(records(
               {"__torch__.py": source("return torch.mul(x, torch.slice(self.weight, 0, 0, 4))")},
               state(weight=tensor(elements=512, sizes=(512,)))))),
    Recipe("zip-in-front", CONTAINED, "another archive in front",
           lambda: with_entries(lambda e: e, before=network("return x"))),
    Recipe("zip-behind", CONTAINED, "another archive behind", lambda: network("return x") + network()),
    Recipe("zip64-honest", CONTAINED, "an honest end in zip64's words", zip64),
    Recipe("zip64-count", REFUSED, "2**63 entries", lambda: zip64(count=1 << 63)),
    Recipe("zip64-size", REFUSED, "a directory of 2**64 - 1 bytes", lambda: zip64(size=(1 << 64) - 1)),
    Recipe("zip64-start", REFUSED, "a directory that begins at 2**64 - 1", lambda: zip64(start=(1 << 64) - 1)),
    Recipe("zip64-at", CONTAINED, "an end that is at 2**64 - 1", lambda: zip64(at=(1 << 64) - 1)),
    Recipe("zip-empty", REFUSED, "an archive without entries", lambda: zip_of([])),
    Recipe("entries-many", CONTAINED, "60,000 entries", lambda: with_entries(
        lambda e: e + [Entry(b"archive/extra/%d" % k) for k in range(60000)])),
    Recipe("entries-code", CONTAINED, "60,000 records of code", lambda: with_entries(
        lambda e: e + [Entry(b"archive/code/f%d.py" % k) for k in range(60000)])),
    Recipe("entries-debug", CONTAINED, "30,000 records of source lines", lambda: with_entries(
        lambda e: e + [Entry(b"archive/code/f%d.py.debug_pkl" % k, pickle(b")")) for k in range(30000)])),
    # -- Zip bombs
    Recipe("bomb-entry", REFUSED, "an entry of 2 GiB in 2 MB", lambda: bomb_entry(2048)),
    Recipe("bomb-tensor", REFUSED, "a tensor's record of 2 GiB in 2 MB", lambda: bomb_entry(2048, b"archive/data/1")),
    Recipe("bomb-code", REFUSED, "code of 1 GiB", lambda: bomb_entry(1024, b"archive/code/__torch__/bomb.py")),
    Recipe("bomb-lying", REFUSED, "an entry of 2 GiB that says 4 bytes", lambda: bomb_entry(2048, said=4)),
    Recipe("bomb-overlapping", REFUSED, "200 names for one entry of 60 MiB", lambda: overlapping(200, 60)),
    Recipe("bomb-small-ones", CONTAINED, "1,000 entries of 1 MiB that pack well", lambda: with_entries(
        lambda e: e + [Entry(b"archive/data/%d" % k, bytes(60 << 10), True) for k in range(1, 1000)])),
    # -- What is no file, or changes
    Recipe("input-text", REFUSED, "a text file", lambda: b"evil\n" * 1000),
    Recipe("input-empty", REFUSED, "an empty file", lambda: b""),
    Recipe("input-signature", REFUSED, "a zip's first four bytes", lambda: b"PK\x03\x04"),
    Recipe("input-random", REFUSED, "random bytes behind a zip's first four",
           lambda: b"PK\x03\x04" + random.Random(1).randbytes(1 << 20)),
    Recipe("input-symlink", FINE, "a symbolic link to an honest file", lambda: Place(at=symlink_to_honest)),
    Recipe("input-symlink-loop", REFUSED, "a symbolic link to itself", lambda: Place(at=symlink_to_itself)),
    Recipe("input-fifo", REFUSED, "a pipe that nobody writes to", lambda: Place(at=fifo)),
    Recipe("input-folder", REFUSED, "a folder", lambda: Place(at=subfolder)),
    Recipe("input-zero", REFUSED, "a device without end", lambda: Place(at=lambda folder: pathlib.Path("/dev/zero"))),
    Recipe("input-terminal", REFUSED, "a device", lambda: Place(at=lambda folder: pathlib.Path("/dev/tty"))),
    Recipe("input-memory", REFUSED, "the process's own memory",
           lambda: Place(at=lambda folder: pathlib.Path("/proc/self/mem"))),
    Recipe("input-name", CONTAINED, "a file's name with escape codes", lambda: Place(at=hostile_name)),
    Recipe("output-symlink", CONTAINED, "the output is a link to a precious file", lambda: Place(
        network(), prepare=output_is_symlink)),
    *[Recipe(f"shrinks-{after}", CONTAINED, f"a file that is cut after {after} s", lambda after=after: shrinking(after))
      for after in (0.2, 0.3, 0.4, 0.5, 0.7)],
]


def expected_faults(recipe, runs):
    wrong = []
    for name, run in runs.items():
        if recipe.expected == FINE and run.code != 0:
            wrong.append(f"{name} refuses it")
        if recipe.expected == REFUSED and run.code == 0:
            wrong.append(f"{name} accepts it")
        if recipe.expected == STOPPED and name != "inspect" and run.code == 0:
            wrong.append(f"{name} runs it")
    return wrong


def evil_commands(path, dims):
    inputs = ["--input_dims", dims]
    return {
        "inspect": ["inspect", path, *LIMITS],
        "fuse": ["fuse", path, "-o", "out.pt", *inputs, *LIMITS],
        "verify": ["verify", path, path, *inputs, *LIMITS],
        "bench": ["bench", path, "--iter", "3", *inputs, *LIMITS],
    }


def try_recipe(recipe, options, work):
    """(runs by command, faults)."""
    made = recipe.make()
    place = made if isinstance(made, Place) else Place(made)
    runs, faults = {}, []
    with tempfile.TemporaryDirectory(dir=work) as top:
        folder = pathlib.Path(top)
        path = place.at(folder) if place.at else folder / "model.pt"
        for name, words in evil_commands(str(path), recipe.dims).items():
            if place.content is not None:
                path.write_bytes(place.content)
            during = (lambda: place.during(path)) if place.during else None
            run = runs[name] = call(words, EVIL_SECONDS, EVIL_BYTES, during, place.prepare, work)
            faults += [f"{name} {fault}" for fault in run.faults]
        faults += expected_faults(recipe, runs)
        if options.keep and place.content is not None and (faults or any(run.crashed for run in runs.values())):
            (options.keep / f"evil-{recipe.name}.pt").write_bytes(place.content)
    return runs, faults


def show_runs(runs):
    for name, run in runs.items():
        lines = run.said.decode("utf-8", "replace").strip().split("\n")
        said = next((line for line in lines if "error: " in line), lines[0])[:230]
        print(f"    {name}: {run.code}, {run.seconds:.1f} s, {run.peak >> 20} MiB: {ascii(said)}", flush=True)


def evil(options, work):
    """The number of faulty recipes."""
    chosen = [recipe for recipe in RECIPES if any(part in recipe.name for part in options.only.split(","))]
    rows, faulty, crashed = [], 0, []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(try_recipe, recipe, options, work): recipe for recipe in chosen}
        for number_done, done in enumerate(concurrent.futures.as_completed(waiting), 1):
            recipe = waiting[done]
            runs, faults = done.result()
            if options.verbose or faults:
                print(f"{'FAULT' if faults else 'ok'} {recipe.name}: {recipe.tries}; has to be {recipe.expected}",
                      flush=True)
                show_runs(runs)
            for fault in faults:
                print(f"  FAULT {recipe.name}: {fault}", flush=True)
            faulty += bool(faults)
            if any(run.crashed for run in runs.values()):
                crashed.append(recipe.name)
            rows.append((recipe, runs, faults))
            if number_done % 50 == 0:
                print(f"evil: {number_done} of {len(chosen)}, {faulty} faulty", file=sys.stderr, flush=True)
    order = {recipe.name: k for k, recipe in enumerate(RECIPES)}
    rows.sort(key=lambda row: order[row[0].name])
    print("\n| evil model | tries | has to be | exit codes | s | MiB | crash contained | faults |")
    print("|---|---|---|---|---|---|---|---|")
    for recipe, runs, faults in rows:
        codes = " ".join(str(run.code) for run in runs.values())
        crashes = ", ".join(name for name, run in runs.items() if run.crashed)
        seconds, peak = max(run.seconds for run in runs.values()), max(run.peak for run in runs.values()) >> 20
        print(f"| {recipe.name} | {recipe.tries} | {recipe.expected} | {codes} | {seconds:.1f} | {peak} | {crashes} | "
              f"{'; '.join(faults)} |")
    print(f"\n{len(chosen)} evil models: {faulty} with faults, {len(crashed)} with a crash contained", flush=True)
    return faulty


# ---- Mutated files ---------------------------------------------------------------------------------------------------

NUMBERS = [0, 1, -1, 2, 127, 255, 256, 65535, 65536, 2**31 - 1, -2**31, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1,
           -2**63]
LENGTHS = [0, 1, 2, 4, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
STORAGES = ["FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage",
            "ShortStorage",
            "CharStorage", "ByteStorage", "BoolStorage", "QInt8Storage", "QUInt8Storage", "QInt32Storage",
            "UInt16Storage",
            "ComplexFloatStorage", "ComplexHalfStorage", "QUInt4x2Storage", "Float8_e5m2Storage", "UntypedStorage",
            "Evil"]
GLOBALS = [("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_qtensor"), ("collections", "OrderedDict"),
           ("torch._utils", "_rebuild_sparse_tensor"), ("torch._utils", "_rebuild_parameter"), ("torch", "device"),
           ("torch.jit._pickle", "build_intlist"), ("torch.jit._pickle", "build_tensorlist"),
           ("torch.jit._pickle", "build_doublelist"), ("torch.jit._pickle", "build_boollist"),
           ("torch.jit._pickle", "restore_type_tag"), ("torch.jit._pickle", "build_tensor_from_id"),
           ("torch", "per_channel_affine"), ("torch", "per_tensor_affine"), ("__torch__", "M"), ("os", "system")]
OPCODES = b"\x80cXJMK\x8aGN\x88\x89}])(t\x85\x86\x87edsuabqhrjR\x81QB.0" + b"\x8c2lITU"
WORDS = ["(", ")", "[", "]", ",", ":", "self", "x", "Tensor", "int", "None", "True", "annotate", "uninitialized",
         "return",
         "while", "if", "torch.add", "ops.prim.RaiseException", "CONSTANTS.c0", "-", "0", "9223372036854775807",
         "List[Tensor]", "Optional[int]", "\"", "unchecked_cast", "__torch__", ".", "=", "    ", "\n", "class", "def"]
TOKEN = re.compile(r"\n|[ ]+|[A-Za-z_][A-Za-z_0-9]*|[0-9.e+-]*[0-9]|\"[^\"\n]*\"|.")


class NothingToChange(Exception):
    """The file has nothing of what a mutation changes."""


def choice(random_, items):
    items = list(items)
    if not items:
        raise NothingToChange
    return random_.choice(items)


def bits(random_, raw):
    raw = bytearray(raw)
    for _ in range(random_.choice([1, 1, 2, 8])):
        raw[random_.randrange(len(raw))] ^= 1 << random_.randrange(8)
    return bytes(raw)


def cut(random_, raw):
    return raw[: random_.randrange(len(raw))]


def spliced(random_, raw):
    """Bytes put in, taken out or doubled."""
    at, count = random_.randrange(len(raw)), random_.choice([1, 2, 4, 64, 1000])
    return random_.choice([raw[:at] + random_.randbytes(count) + raw[at:], raw[:at] + raw[at + count:],
                           raw[: at + count] + raw[at:]])


def headers(random_, raw):
    """A number in the zip's headers or directory becomes another."""
    fields = {b"PK\x03\x04": [(4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)],
              b"PK\x01\x02": [(6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4)],
              b"PK\x05\x06": [(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)],
              b"PK\x06\x06": [(4, 8), (24, 8), (32, 8), (40, 8), (48, 8)], b"PK\x06\x07": [(8, 8), (16, 4)]}
    raw = bytearray(raw)
    places = [(found.start(), found[0]) for found in re.finditer(b"|".join(map(re.escape, fields)), bytes(raw))]
    for _ in range(random_.choice([1, 1, 2])):
        at, kind = choice(random_, places)
        offset, size = random_.choice(fields[kind])
        old = int.from_bytes(raw[at + offset: at + offset + size], "little")
        new = random_.choice([random_.choice(LENGTHS), old + random_.choice([-1, 1, 16, 4096]),
                              random_.getrandbits(8 * size)])
        raw[at + offset: at + offset + size] = (new % (1 << (8 * size))).to_bytes(size, "little")
    return bytes(raw)


def shuffled_entries(random_, entries):
    """Entries swap their contents or names, are doubled, renamed or left out."""
    a, b = random_.choice(entries), random_.choice(entries)
    what = random_.randrange(6)
    if what == 0:
        a.data, b.data = b.data, a.data
    elif what == 1:
        a.name = random_.choice([b"archive/data/999", b"other/" + a.name, a.name.upper(), a.name + b"/", a.name[:-1]])
    elif what == 2:
        entries.insert(random_.randrange(len(entries)), copy.copy(a))
    elif what == 3:
        entries.remove(a)
    elif what == 4:
        random_.shuffle(entries)
    else:
        a.data = random_.choice([b"", a.data * 2, a.data[: len(a.data) // 2], random_.randbytes(len(a.data) + 1)])


def steps_of(raw):
    """The pickle's opcodes, as (name, argument, bytes)."""
    found = [(op.name, argument, at) for op, argument, at in pickletools.genops(raw)]
    ends = [at for _, _, at in found[1:]] + [len(raw)]
    return [(name, argument, raw[at:end]) for (name, argument, at), end in zip(found, ends)]


def change_step(random_, raw, names, new):
    steps = steps_of(raw)
    at = choice(random_, [k for k, step in enumerate(steps) if step[0] in names])
    return b"".join(step[2] for step in steps[:at]) + new(steps[at]) + b"".join(step[2] for step in steps[at + 1:])


def pickle_opcodes(random_, raw):
    steps = [step[2] for step in steps_of(raw)]
    a, b = random_.randrange(len(steps)), random_.randrange(len(steps))
    what = random_.randrange(5)
    if what == 0:
        steps[a] = bytes([random_.choice(OPCODES)]) + steps[a][1:]
    elif what == 1:
        del steps[a]
    elif what == 2:
        steps.insert(b, steps[a])
    elif what == 3:
        steps[a], steps[b] = steps[b], steps[a]
    else:
        steps.insert(a, bytes([random_.choice(OPCODES)]))
    return b"".join(steps)


def pickle_numbers(random_, raw):
    def other(step):
        return number(random_.choice([random_.choice(NUMBERS), step[1] + random_.choice([-1, 1])])) \
            if step[1] is not None and abs(step[1]) < 1 << 62 else number(random_.choice(NUMBERS))

    for _ in range(random_.choice([1, 1, 2, 3])):
        raw = change_step(random_, raw, {"BININT", "BININT1", "BININT2", "LONG1"}, other)
    return raw


def pickle_lengths(random_, raw):
    def other(step):
        length = random_.choice([len(step[2]) - 5 + random_.choice([-1, 1, 2, 100]), random_.choice(LENGTHS)])
        return step[2][:1] + struct.pack("<I", max(length, 0)) + step[2][5:]

    return change_step(random_, raw, {"BINUNICODE"}, other)


def pickle_storages(random_, raw):
    steps = steps_of(raw)
    at = choice(random_, [k for k, step in enumerate(steps) if step[0] == "GLOBAL" and step[1].endswith("Storage")])
    steps[at] = ("", "", named("torch", random_.choice(STORAGES)))
    return b"".join(step[2] for step in steps)


def pickle_memo(random_, raw):
    def other(step):
        return step[2][:1] + bytes([random_.choice([random_.randrange(256), random_.randrange(min(256, step[1] + 4))])])

    return change_step(random_, raw, {"BINPUT", "BINGET"}, other)


def pickle_globals(random_, raw):
    own = [tuple(step[1].split(" ")) for step in steps_of(raw) if step[0] == "GLOBAL"]
    return change_step(random_, raw, {"GLOBAL"}, lambda step: named(*random_.choice(own + GLOBALS)[:2]))


def pickle_values(random_, raw):
    """A value becomes one of another type."""
    texts = [step[2] for step in steps_of(raw) if step[0] == "BINUNICODE"]
    others = [NONE, TRUE, number(7), real(1.5), b"]", b")", b"}", text("evil"), tensor(), *texts[:20]]
    return change_step(random_, raw, {"BINUNICODE", "NONE", "NEWTRUE", "NEWFALSE", "BININT1", "BINFLOAT", "EMPTY_LIST",
                                      "EMPTY_TUPLE", "BINGET"}, lambda step: random_.choice(others))


PICKLE_EDITS = {"opcodes": pickle_opcodes, "numbers": pickle_numbers, "lengths": pickle_lengths, "memo": pickle_memo,
                "storages": pickle_storages, "globals": pickle_globals, "values": pickle_values, "bits": bits}


def in_entry(pattern, edit):
    """Edits the contents of an entry whose name fits; its CRC-32 is right again."""

    def change(random_, entries):
        entry = choice(random_, [e for e in entries if re.search(pattern, e.name) and e.data])
        entry.data = edit(random_, entry.data)

    return change


def any_pickle_edit(random_, raw):
    return random_.choice(list(PICKLE_EDITS.values()))(random_, raw)


def code_lines(random_, raw):
    lines = raw.decode().split("\n")
    a, b = random_.randrange(len(lines)), random_.randrange(len(lines))
    what = random_.randrange(4)
    if what == 0:
        del lines[a]
    elif what == 1:
        lines.insert(b, lines[a])
    elif what == 2:
        lines[a], lines[b] = lines[b], lines[a]
    else:
        lines[a] = " " * random_.randrange(12) + lines[a].strip()
    return "\n".join(lines).encode()


def code_tokens(random_, raw):
    tokens = TOKEN.findall(raw.decode())
    for _ in range(random_.choice([1, 1, 2])):
        a = choice(random_, [k for k, token in enumerate(tokens) if token.strip()])
        b = random_.randrange(len(tokens))
        what = random_.randrange(4)
        if what == 0:
            tokens[a] = ""
        elif what == 1:
            tokens.insert(b, tokens[a])
        elif what == 2:
            tokens[a], tokens[b] = tokens[b], tokens[a]
        else:
            tokens[a] = random_.choice(WORDS)
    return "".join(tokens).encode()


def code_numbers(random_, raw):
    tokens = TOKEN.findall(raw.decode())
    at = choice(random_, [k for k, token in enumerate(tokens) if token[0].isdigit()])
    tokens[at] = random_.choice([str(random_.choice(NUMBERS)), "1e999", "-1.5", "0.", str(random_.randrange(300))])
    return "".join(tokens).encode()


def code_names(random_, raw):
    """A name becomes another of the file's."""
    tokens = TOKEN.findall(raw.decode())
    names = [k for k, token in enumerate(tokens) if token[0].isalpha() or token[0] == "_"]
    tokens[choice(random_, names)] = tokens[choice(random_, names)]
    return "".join(tokens).encode()


def version_record(random_, raw):
    return random_.choice([b"", b"0\n", b"1\n", b"2", b"10", b"11\n", b"99999999999999999999", b"-1", b"3\n3",
                           b"3" * 1000, b"x", bits(random_, raw)])


def byteorder_record(random_, raw):
    return random_.choice([b"big", b"", b"middle", b"little\n", b"LITTLE", bits(random_, raw)])


ON_BYTES = {"bits anywhere": bits, "cut short": cut, "bytes in or out": spliced, "zip headers": headers}
ON_ENTRIES = {
    "zip entries": shuffled_entries,
    **{f"data.pkl: {name}": in_entry(rb"/data\.pkl$", edit) for name, edit in PICKLE_EDITS.items()},
    "code: lines": in_entry(rb"\.py$", code_lines), "code: tokens": in_entry(rb"\.py$", code_tokens),
    "code: numbers": in_entry(rb"\.py$", code_numbers), "code: names": in_entry(rb"\.py$", code_names),
    "code: bytes": in_entry(rb"\.py$", spliced),
    "constants.pkl": in_entry(rb"/constants\.pkl$", any_pickle_edit),
    "debug_pkl": in_entry(rb"\.debug_pkl$", any_pickle_edit),
    "weights": in_entry(rb"/data/\d+$", bits), "version": in_entry(rb"/version$", version_record),
    "byteorder": in_entry(rb"/byteorder$", byteorder_record),
}
KINDS = [*ON_BYTES, *ON_ENTRIES]


def mutated_file(random_, kind, path):
    if kind in ON_BYTES:
        return ON_BYTES[kind](random_, path.read_bytes())
    entries = entries_of(path)
    ON_ENTRIES[kind](random_, entries)
    return zip_of(entries)


def mutation(seed, index, bases):
    """(kind, honest file, bytes) of a number; the same each time."""
    random_ = random.Random(f"{seed}:{index}")
    kind = KINDS[index % len(KINDS)]
    paths = list(bases)
    while True:
        path = random_.choice(paths)
        try:
            return kind, path, mutated_file(random_, kind, path)
        except NothingToChange:
            continue


def commands_on(path, dims, index):
    """Every file through the first three; one in a hundred through bench's worker process as well."""
    inputs = ["--input_dims", dims] if dims and index % 10 else []
    commands = {"inspect": ["inspect", path], "fuse": ["fuse", path, "-o", "out.pt", *inputs],
                "bench": ["bench", "--model", path, "--iter", "2", *(["--input_dims", dims] if dims else [])]}
    if index % 100 == 0:
        commands["bench in a worker"] = ["bench", path, "--iter", "2", "--processes", "1", "--max-time", "0.05"]
    return commands


def try_mutation(index, bases, options, work):
    kind, base, content = mutation(options.seed, index, bases)
    with tempfile.TemporaryDirectory(dir=work) as top:
        path = pathlib.Path(top) / "model.pt"
        path.write_bytes(content)
        runs = {name: call([*words, *LIMITS], MUTATED_SECONDS, MUTATED_BYTES, work=work)
                for name, words in commands_on(str(path), bases[base], index).items()}
    faults = [f"{name} {fault}" for name, run in runs.items() for fault in run.faults]
    if options.keep and (faults or any(run.crashed for run in runs.values())):
        (options.keep / f"mutated-{options.seed}-{index}.pt").write_bytes(content)
    return kind, base, runs, faults


def listed_cases():
    """The trap networks, with the inputs that they take: {path: dims}."""
    folder = ROOT / "tests/cases"
    rows = [line.split("\t") for line in (folder / "cases.tsv").read_text().split("\n") if line and line[0] != "#"]
    return {folder / f"{name}.pt": dims for name, dims, *_ in rows}


def written_files(folder, work):
    """Files of every kind that FuseKit writes: {path: dims}."""
    kinds = {"portable": ["fuse"], "cpu": ["fuse", "--for", "cpu"], "mobile": ["fuse", "--for", "mobile"],
             "lite": ["fuse", "--for", "mobile", "--lite"], "int8": ["quantize", "--random-calibration", "2"]}
    found = {}
    cases = listed_cases()
    for name in ("plain.script", "plain.trace", "linear2d.script", "transposed_groups.trace"):
        for kind, words in kinds.items():
            source_path = ROOT / f"tests/cases/{name}.pt"
            path = folder / f"{name}.{kind}.pt"
            run = call([*words, str(source_path), "-o", str(path), "--input_dims", cases[source_path]],
                       MUTATED_SECONDS, MUTATED_BYTES, work=work)
            if run.code == 0:
                found[path] = cases[source_path]
    return found


def honest_files(options, work):
    """The files that are mutated, with inputs that they take or "": {path: dims}. Those of the tests, those that FuseKit
    writes, and those given; what FuseKit refuses is left out."""
    folder = pathlib.Path(work) / "honest"
    folder.mkdir()
    call(["example", "-o", str(folder), "--bench", "0", "-q"], MUTATED_SECONDS, MUTATED_BYTES, work=work)
    found = dict.fromkeys(sorted(folder.glob("*.pt")), "")
    for place in ("tests/data", "tests/golden"):
        found |= {path: "" for path in sorted((ROOT / place).rglob("*.pt")) if path.stat().st_size < 100_000}
    found |= listed_cases() | written_files(folder, work)
    found |= {pathlib.Path(name).resolve(): "" for name in options.files}
    return {path: dims for path, dims in found.items() if zipfile.is_zipfile(path) and
            call(["inspect", str(path)], MUTATED_SECONDS, MUTATED_BYTES, work=work).code == 0}


def mutated(options, work, bases):
    """The number of faulty files."""
    table = {kind: collections.Counter() for kind in KINDS}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(try_mutation, index, bases, options, work): index
                   for index in range(options.first, options.first + options.count)}
        for number_done, done in enumerate(concurrent.futures.as_completed(waiting), 1):
            index = waiting[done]
            kind, base, runs, faults = done.result()
            crashed = any(run.crashed for run in runs.values())
            row = table[kind]
            row["files"] += 1
            row["accepted" if runs["fuse"].code in (0, 1) else "refused"] += 1
            row["crashes"] += crashed
            row["faults"] += bool(faults)
            for fault in faults:
                print(f"FAULT mutated {options.seed}:{index} ({kind} of {base.name}): {fault}", flush=True)
            if crashed:
                print(f"crash contained, mutated {options.seed}:{index} ({kind} of {base.name})", flush=True)
            if faults or crashed or options.verbose:
                show_runs(runs)
            if number_done % 200 == 0:
                print(f"mutated: {number_done} of {options.count}", file=sys.stderr, flush=True)
    total = sum(table.values(), collections.Counter())
    columns = ("files", "accepted", "refused", "crashes", "faults")
    print("\n| kind of mutation | files | accepted | refused | crashes contained | faults |\n|---|---|---|---|---|---|")
    for kind, row in [*table.items(), ("all", total)]:
        print(f"| {kind} | " + " | ".join(str(row[column]) for column in columns) + " |")
    print(flush=True)
    return total["faults"]


# ---- Flipped bits of weights -----------------------------------------------------------------------------------------

FLIPS = 200


def weights_in(path):
    """(begin, size) of the records of tensors that are stored as they are."""
    found = []
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if re.search(r"/data/\d+$", info.filename) and info.compress_type == 0 and info.file_size > 0:
                name, extra = struct.unpack_from("<HH", raw, info.header_offset + 26)
                found.append((info.header_offset + 30 + name + extra, info.file_size))
    return found


def try_flip(index, bases, options, work):
    random_ = random.Random(f"flip:{options.seed}:{index}")
    base = random_.choice([path for path in bases if weights_in(path)])
    begin, size = random_.choice(weights_in(base))
    raw = bytearray(base.read_bytes())
    at, bit = begin + random_.randrange(size), random_.randrange(8)
    raw[at] ^= 1 << bit
    with tempfile.TemporaryDirectory(dir=work) as top:
        path = pathlib.Path(top) / "model.pt"
        path.write_bytes(raw)
        words = ["fuse", str(path), "-o", "out.pt"] if index % 2 else ["inspect", str(path)]
        run = call(words, MUTATED_SECONDS, MUTATED_BYTES, work=work)
    faults = run.faults + ([] if run.code == 2 else [f"accepts it (exit code {run.code})"])
    if faults and options.keep:
        (options.keep / f"flip-{options.seed}-{index}.pt").write_bytes(raw)
    return f"bit {bit} of byte {at} of {base.name}: {words[0]}", faults


def flips(options, work, bases):
    """The number of flips that were not refused."""
    faulty = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for what, faults in pool.map(lambda index: try_flip(index, bases, options, work), range(FLIPS)):
            faulty += bool(faults)
            for fault in faults:
                print(f"FAULT {what} {fault}", flush=True)
    print("\n| flipped bits of weights | refused | faults |\n|---|---|---|")
    print(f"| {FLIPS} | {FLIPS - faulty} | {faulty} |\n", flush=True)
    return faulty


# ---- The command line ------------------------------------------------------------------------------------------------


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("parts_and_files", nargs="*",
                        help="mutated, flips, evil (default: all), and files to mutate as well")
    parser.add_argument("--fusekit", required=True, type=os.path.abspath)
    parser.add_argument("--server", type=os.path.abspath, help="fork server, in place of the program: a run takes 0.05 s")
    parser.add_argument("--patience", type=float, default=1, help="times as long as a run may take, on a busy machine")
    parser.add_argument("--count", type=int, default=300, help="mutated files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutated file, to try one again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the files that show a fault or a crash")
    parser.add_argument("--only", default="", help="only evil models whose name holds one of these, e.g. bomb,tensor")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    parts = ("mutated", "flips", "evil")
    options.parts = [word for word in options.parts_and_files if word in parts] or list(parts)
    options.files = [word for word in options.parts_and_files if word not in parts]
    return options


def main():
    global OPTIONS
    options = OPTIONS = read_options()
    os.environ |= {"OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    for missing in [name for name in options.files if not os.path.isfile(name)]:
        sys.exit(f"error: {missing}: no such file")
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    faulty = 0
    with tempfile.TemporaryDirectory() as work:
        if "evil" in options.parts:
            faulty += evil(options, work)
        bases = honest_files(options, work) if {"mutated", "flips"} & set(options.parts) else []
        if "flips" in options.parts:
            faulty += flips(options, work, bases)
        if "mutated" in options.parts:
            faulty += mutated(options, work, bases)
    for server in ForkServer.all:
        server.close()
    print(f"{faulty} faulty files" if faulty else "no faults")
    sys.exit(1 if faulty else 0)


if __name__ == "__main__":
    main()
