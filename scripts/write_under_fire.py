"""Disturbs FuseKit while it writes: an output has to be the old file or the new one, and nothing may be left beside it.

scripts/write_under_fire.sh builds the program and calls this; its header says what each series does.
write_under_fire.py --program FUSEKIT [--work FOLDER] [--count N] [--seed S] [SERIES...]
Python's standard library is enough. Root can do more (disks that are full, read-only or without inodes): what is left
out without it is said under the table.
"""

import argparse
import collections
import contextlib
import ctypes
import json
import os
import pathlib
import platform
import random
import resource
import shlex
import shutil
import signal
import stat
import statistics
import struct
import subprocess
import sys
import tempfile
import time

COUNTS = {"kill": 1000, "full": 200, "two": 50, "places": 1, "same": 1}
LIMIT = 180  # seconds for one run: the program may not hang
YOUNG = 120  # seconds: a hidden file is cleared away once it is older than a minute
NOBODY = 65534
DIMS = ["--input_dims", "1,3,32,32", "--threads", "1"]
OLD = b"the old file, which is no network\n" * 90


def stop(message):
    sys.exit(f"error: {message}")


# --- Faults of the system: a filter of system calls (seccomp), which needs no root -----------------------------------

# Numbers of the system calls on both processors that FuseKit is built for.
NUMBERS = {
    "x86_64": {"openat": 257, "linkat": 265, "renameat": 264, "renameat2": 316, "fsync": 74, "fchmod": 91, "flock": 73},
    "aarch64": {"openat": 56, "linkat": 37, "renameat": 38, "renameat2": 276, "fsync": 82, "fchmod": 52, "flock": 32},
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NO_NEW_PRIVILEGES, SET_FILTER, FILTER_MODE = 38, 22, 2  # of prctl
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, EQUAL, AND, RETURN = 0x20, 0x15, 0x54, 0x06
UNNAMED = 0o20000000  # the bit of O_TMPFILE that no other flag has
EIO, EINVAL, ENOSPC, EOPNOTSUPP, ENOLCK = 5, 22, 28, 95, 37

Rule = collections.namedtuple("Rule", "call argument mask action", defaults=(0, 0, KILL))

NO_UNNAMED = [Rule("openat", 2, UNNAMED, ERRNO | EOPNOTSUPP)]
# As NFS, 9p and many file systems in user space answer: no O_TMPFILE, and no flags of renameat2.
NO_FLAGS = [*NO_UNNAMED, Rule("renameat2", 4, 1, ERRNO | EINVAL)]
NO_LOCKS = [*NO_UNNAMED, Rule("flock", 0, 0, ERRNO | ENOLCK)]


def rules_for(call, action=KILL):
    """For each of the system calls that do this."""
    calls = ("renameat", "renameat2") if call == "rename" else (call,)
    return [Rule(name, action=action) for name in calls]


def filter_program(rules):
    """The filter for the kernel: a list of (code, jump if true, jump if false, value)."""
    numbers = NUMBERS[platform.machine()]
    code = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, ARCHITECTURES[platform.machine()]), (RETURN, 0, 0, ALLOW)]
    for rule in rules:
        test = []
        if rule.mask:
            test = [(LOAD, 0, 0, 16 + 8 * rule.argument), (AND, 0, 0, rule.mask), (EQUAL, 0, 1, rule.mask)]
        code += [(LOAD, 0, 0, 0), (EQUAL, 0, len(test) + 1, numbers[rule.call]), *test, (RETURN, 0, 0, rule.action)]
    return code + [(RETURN, 0, 0, ALLOW)]


def install_filter(rules):
    """For this process and all that it starts."""
    code = filter_program(rules)
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(instructions)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0 or libc.prctl(SET_FILTER, FILTER_MODE, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no filter of system calls")


def hide_proc():
    """Takes /proc away from this process and all that it starts, as a bare chroot does. It takes root."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_mounts, private, detach = 0x20000, (1 << 18) | (1 << 14), 2
    if (libc.unshare(new_mounts) or libc.mount(b"none", b"/", None, private, None) or libc.umount2(b"/proc", detach)):
        raise OSError(ctypes.get_errno(), "/proc can't be hidden")


def has_filters():
    if platform.machine() not in NUMBERS:
        return False
    try:
        return subprocess.run(["true"], preexec_fn=lambda: install_filter(NO_UNNAMED), check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


# --- Disks -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(folder, options):
    """A disk in memory at `folder`; False where it can't be made."""
    folder.mkdir(parents=True, exist_ok=True)
    call = ["mount", "-t", "tmpfs", "-o", options, "write-under-fire", str(folder)]
    done = os.geteuid() == 0 and subprocess.run(call, stderr=subprocess.DEVNULL, check=False).returncode == 0
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(folder, free):
    """Leaves `free` bytes of the disk, to the next page."""
    disk = os.statvfs(folder)
    filler = folder / "filler"
    with open(filler, "wb") as file:
        size = disk.f_bavail * disk.f_frsize - free
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, size)


# --- Runs ------------------------------------------------------------------------------------------------------------

Done = collections.namedtuple("Done", "code out err call seconds")


class Setting:
    """What a run gets besides its words. Its `text` is for a fault's report."""

    def __init__(self, text="", rules=(), file_size=0, ignores_size=True, user=None, environment=None, files=(),
                 has_proc=True):
        self.text, self.rules, self.file_size, self.ignores_size = text, rules, file_size, ignores_size
        self.user, self.environment, self.files, self.has_proc = user, environment, files, has_proc

    def apply(self):
        """In the new process, before the program starts."""
        if self.file_size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN if self.ignores_size else signal.SIG_DFL)
        if self.user is not None:
            os.setgroups([])
            os.setgid(self.user)
            os.setuid(self.user)
        if not self.has_proc:
            hide_proc()
        for descriptor in self.files:
            os.close(descriptor)
        if self.rules:
            install_filter(self.rules)


class Fire:
    """The program, where it works, and what was found."""

    def __init__(self, program, work, count, seed):
        self.program, self.work, self.count = str(program), work, count
        self.random = random.Random(seed)
        self.filters = has_filters()
        self.is_root = os.geteuid() == 0
        self.rows = []
        self.faults = []
        self.skipped = []
        self.folders = 0

    def count_of(self, series):
        return self.count or COUNTS[series]

    def new_folder(self):
        """An empty one; the last one is gone, so that little of the disk is used."""
        shutil.rmtree(self.work / f"run-{self.folders}", ignore_errors=True)
        self.folders += 1
        folder = self.work / f"run-{self.folders}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def start(self, words, folder, setting, stdout=subprocess.PIPE):
        """In a process group of its own."""
        call = [self.program, *map(os.fspath, words)]
        environment = os.environ if setting.environment is None else setting.environment
        process = subprocess.Popen(call, cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                                   env=environment, preexec_fn=setting.apply, start_new_session=True)
        process.call = " ".join(shlex.quote(os.fsencode(word).decode(errors="backslashreplace")) for word in call[1:])
        process.call = f"fusekit {process.call}" + (f" ({setting.text})" if setting.text else "")
        process.begin = time.monotonic()
        return process

    def finish(self, process):
        """Ends what takes too long, which is said as code None. Nothing goes on where this script itself is ended."""
        try:
            out, err = process.communicate(timeout=LIMIT)
            code = process.returncode
        except subprocess.TimeoutExpired:
            end_group(process)
            out, err = process.communicate()
            code = None
        except BaseException:
            end_group(process)
            raise
        out, err = ((text or b"").decode(errors="backslashreplace") for text in (out, err))
        return Done(code, out, err, process.call, time.monotonic() - process.begin)

    def run(self, words, folder, setting=None, stdout=subprocess.PIPE):
        return self.finish(self.start(words, folder, setting or Setting(), stdout))

    def fault(self, series, call, found):
        self.faults.append((series.name, call, found))
        series.faults += 1
        print(f"FAULT {series.name}: {call}: {found}", file=sys.stderr, flush=True)

    def skip(self, what, why):
        self.skipped.append(f"{what}: {why}")


class Series:
    """A row of the table."""

    def __init__(self, fire, name):
        self.fire, self.name = fire, name
        self.runs = self.old = self.new = self.left = self.faults = 0
        self.begin = time.monotonic()
        fire.rows.append(self)

    def fault(self, call, found):
        self.fire.fault(self, call, found)

    def tell(self, total):
        """Progress, for whoever waits."""
        if self.runs % 25 == 0:
            seconds = time.monotonic() - self.begin
            print(f"{self.name}: {self.runs} of {total}, {seconds:.0f} s, faults {self.faults}", file=sys.stderr)


def end_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line]
    return next((line for line in lines if line.startswith("error")), lines[-1] if lines else "(nothing)")[:300]


def content(path):
    """The bytes under this name; None where there are none."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def names_in(folder):
    return sorted(os.listdir(folder))


def surplus(folder, wanted):
    """What lies in the folder besides the names that may be there."""
    return [name for name in names_in(folder) if name not in wanted]


class Networks:
    """The files that all series read, and what is written for them when nothing disturbs."""

    def __init__(self, fire):
        self.fire = fire
        self.folder = fire.work / "networks"
        self.small = self.make("conv_bn_relu")
        self.large = self.make("mobilenet_v2")
        self.known = {}

    def make(self, model):
        folder = self.folder / model
        if not (folder / "model_float.pt").exists():
            done = self.fire.run(["example", "-o", folder, "--model", model, "--bench", "0", "--force"], self.fire.work)
            if done.code != 0:
                stop(f"{done.call}: {last_line(done.err)}")
        return folder / "model_float.pt"

    def written(self, words):
        """The bytes that `fusekit WORDS -o OUT` writes, and the seconds that it takes."""
        key = tuple(map(str, words))
        if key not in self.known:
            folder = self.folder / "references"
            folder.mkdir(exist_ok=True)
            done = self.fire.run([*words, "-o", "reference.pt", "--force"], folder)
            if done.code != 0:
                stop(f"{done.call}: {last_line(done.err)}")
            self.known[key] = (content(folder / "reference.pt"), done.seconds)
        return self.known[key]


# --- Series 1: signals ------------------------------------------------------------------------------------------------

GENTLE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # after which nothing may be left behind
SHOTS = [(signal.SIGKILL, "group"), (signal.SIGKILL, "child"), (signal.SIGKILL, "parent"), (signal.SIGTERM, "parent"),
         (signal.SIGKILL, "group"), (signal.SIGINT, "group"), (signal.SIGHUP, "parent"), (signal.SIGTERM, "group"),
         (signal.SIGKILL, "group"), (signal.SIGHUP, "group")]
TUNE_SHOTS = [(signal.SIGHUP, "parent"), (signal.SIGTERM, "parent"), (signal.SIGINT, "group"),
              (signal.SIGKILL, "group"), (signal.SIGQUIT, "group")]
TARGETS = ["existing", "existing", "absent", "link", "in place"]


def child_of(pid):
    """The supervised process; 0 where there is none."""
    with contextlib.suppress(OSError):
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else 0
    return 0


def is_alive(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def is_gone(pid):
    """Waits for a process that was sent SIGKILL, also by the death of its parent."""
    end = time.monotonic() + 10
    while pid and is_alive(pid):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.005)
    return True


class Target:
    """A folder with IN and OUT, and the words of the call that writes OUT."""

    def __init__(self, fire, networks, kind, network, verify):
        self.folder = fire.new_folder() / "here"
        self.folder.mkdir()
        self.real = self.folder.parent / "real"  # where a link leads to
        self.kind = kind
        self.output = self.folder / "out.pt"
        command = ["fuse", network, *DIMS, *([] if verify else ["--no-verify"])]
        self.new, self.seconds = networks.written(command)
        self.old = OLD
        self.words = [*command, "-o", "out.pt"]
        getattr(self, "make_" + kind.replace(" ", "_"))(network)

    def make_existing(self, _network):
        self.output.write_bytes(OLD)
        self.words.append("--force")

    def make_absent(self, _network):
        self.old = None

    def make_link(self, _network):
        self.real.mkdir()
        (self.real / "file.pt").write_bytes(OLD)
        self.output.symlink_to("../real/file.pt")
        self.words.append("--force")

    def make_in_place(self, network):
        shutil.copyfile(network, self.output)
        self.old = content(self.output)
        self.words[1] = "out.pt"
        self.words.append("--in-place")

    def hidden(self):
        """All files that should not be there."""
        found = [self.folder / name for name in surplus(self.folder, ["out.pt"])]
        return found + ([self.real / name for name in surplus(self.real, ["file.pt"])] if self.real.exists() else [])

    def is_intact(self):
        """What is around the bytes: a link stays a link."""
        return self.kind != "link" or self.output.is_symlink()


def moment(fire, seconds):
    """Half of the shots fall into the last third, in which it writes."""
    if fire.random.random() < 0.5:
        return fire.random.uniform(0, seconds)
    return fire.random.uniform(seconds * 2 / 3, seconds * 1.05)


def shoot(process, number, whom, after):
    """Sends the signal after so many seconds. The supervised child, which has to end, too; 0 where all was over."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=max(0.0, process.begin + after - time.monotonic()))
    child = child_of(process.pid)
    if process.poll() is not None:
        return 0
    with contextlib.suppress(ProcessLookupError):
        if whom == "group":
            os.killpg(process.pid, number)
        else:
            os.kill(child if whom == "child" and child else process.pid, number)
    return child


def judge_bytes(series, target, done, what):
    """Counts old and new; a fault where it is neither."""
    found = content(target.output)
    if found == target.new:
        series.new += 1
    elif found == target.old:
        series.old += 1
        if done.code == 0:
            series.fault(what, "exit code 0, but the output is the old file")
    else:
        size = "missing" if found is None else f"{len(found)} bytes"
        series.fault(what, f"the output is neither the old nor the new file: {size}")
    if not target.is_intact():
        series.fault(what, "the output was a symbolic link and is none any more")


def settle(series, target, what, setting):
    """One more run, undisturbed, has to succeed and to clear away what was left.

    A hidden file that is younger than a minute may be one that another writer is about to lock, so that the program
    leaves it alone: here its time is set back.
    """
    for path in target.hidden():
        os.utime(path, (time.time() - YOUNG,) * 2, follow_symlinks=False)
    words = [word for word in target.words if word not in ("--force", "--in-place")]
    words.append("--in-place" if target.kind == "in place" else "--force")
    done = series.fire.run(words, target.folder, Setting(setting.text, [r for r in setting.rules if r.action != KILL]))
    if done.code != 0:
        series.fault(what, f"the next run ended with {done.code}: {last_line(done.err)}")
    elif target.kind != "in place" and content(target.output) != target.new:
        series.fault(what, "the next run's output is another one")
    if target.hidden():
        series.fault(what, f"still there after the next run: {[path.name for path in target.hidden()]}")


def kill_once(series, networks, index):
    fire = series.fire
    number, whom = SHOTS[index % len(SHOTS)]
    network = networks.large if index % 4 == 3 else networks.small
    target = Target(fire, networks, fire.random.choice(TARGETS), network, verify=fire.random.random() < 0.5)
    setting = Setting()
    if fire.filters and fire.random.random() < 0.25:
        setting = Setting("no O_TMPFILE", NO_UNNAMED)
    after = moment(fire, target.seconds * series.pace)
    process = fire.start(target.words, target.folder, setting)
    child = shoot(process, number, whom, after)
    done = fire.finish(process)
    what = f"{done.call}; {signal.Signals(number).name} to the {whom} after {after:.2f} s"
    if not is_gone(child):
        series.fault(what, "the child goes on without its parent")
    series.runs += 1
    judge_kill(series, target, done, number, what)
    if target.hidden() or index % 10 == 0:
        settle(series, target, what, setting)


def judge_kill(series, target, done, number, what):
    judge_bytes(series, target, done, what)
    left = target.hidden()
    series.left += len(left)
    if left and number in GENTLE:
        series.fault(what, f"left behind: {[path.name for path in left]}; it said: {last_line(done.err)}")
    ends = {0, 2, -number, 128 + number}
    if done.code not in ends:
        series.fault(what, f"exit code {done.code}, wanted one of {sorted(ends)}: {last_line(done.err)}")


def kill_at_call(series, networks, call, kind, rules):
    """The process dies at the start of a certain system call: at the moments that chance hardly meets."""
    fire = series.fire
    target = Target(fire, networks, kind, networks.small, verify=False)
    setting = Setting(f"killed at {call}", [*rules, *rules_for(call)])
    done = fire.run(target.words, target.folder, setting)
    series.runs += 1
    judge_bytes(series, target, done, done.call)
    series.left += len(target.hidden())
    if target.hidden():  # the supervisor lives on, and clears up
        series.fault(done.call, f"left behind: {[path.name for path in target.hidden()]}")
    settle(series, target, done.call, setting)


def kill_tune(series, networks, number, whom, share):
    """`tune` has a folder of candidates beside its output."""
    fire = series.fire
    folder = fire.new_folder()
    output = folder / "out.pt"
    output.write_bytes(OLD)
    words = ["tune", networks.small, *DIMS, "--max-time", "1", "--force", "-o", "out.pt"]
    process = fire.start(words, folder, Setting())
    is_gone(shoot(process, number, whom, share * 3 * series.pace))
    done = fire.finish(process)
    series.runs += 1
    series.old += content(output) == OLD
    series.new += content(output) != OLD
    what = f"{done.call}; {signal.Signals(number).name} to the {whom} after {share * 3 * series.pace:.2f} s"
    end = time.monotonic() + 5  # the workers, too, end a moment later
    while surplus(folder, ["out.pt"]) and time.monotonic() < end and number in GENTLE:
        time.sleep(0.1)
    left = surplus(folder, ["out.pt"])
    series.left += len(left)
    if left and number in GENTLE:
        series.fault(what, f"left behind: {left}; it said: {last_line(done.err)}")
    for name in left:
        for path in [folder / name, *(folder / name).glob("*")]:
            os.utime(path, (time.time() - YOUNG,) * 2)
    if left:
        again = fire.run(words, folder)
        if again.code != 0 or surplus(folder, ["out.pt"]):
            series.fault(what, f"still there after the next run (code {again.code}): {surplus(folder, ['out.pt'])}")


def pace_of(fire, networks):
    """Runs may take longer or shorter now than when they were measured."""
    command = ["fuse", networks.small, *DIMS]
    before = networks.written(command)[1]
    runs = [fire.run([*command, "-o", "out.pt"], fire.new_folder()).seconds for _ in range(3)]
    return statistics.median(runs) / before


def series_kill(fire, networks):
    series = Series(fire, "kill")
    count = fire.count_of("kill")
    for index in range(count):
        if index % 100 == 0:
            series.pace = pace_of(fire, networks)
        kill_once(series, networks, index)
        series.tell(count)
    for index in range(max(len(TUNE_SHOTS), count // 50)):
        kill_tune(series, networks, *TUNE_SHOTS[index % len(TUNE_SHOTS)], fire.random.uniform(0.3, 0.6))
    if not fire.filters:
        return fire.skip("kill, at a certain system call", "no filter of system calls for this processor")
    for kind in ("existing", "absent", "link", "in place"):
        for call in ("fsync", "linkat", "rename"):
            kill_at_call(series, networks, call, kind, [])
    for kind in ("existing", "absent"):
        for call in ("fsync", "rename"):
            kill_at_call(series, networks, call, kind, NO_UNNAMED)
    return None


# --- Series 2: full disks --------------------------------------------------------------------------------------------


class FullCase:
    """A command, the outputs that it writes, and about how many bytes the smallest of them has."""

    def __init__(self, words, outputs, size):
        self.words, self.outputs, self.size = words, outputs, size


def full_cases(networks):
    small, large = networks.small, networks.large
    fused = len(networks.written(["fuse", small, *DIMS])[0])
    random_int8 = ["quantize", small, *DIMS, "--random-calibration", "4"]
    bench = ["bench", small, *DIMS, "--iter", "1", "--quick", "--max-time", "0.3"]
    tune = ["tune", small, *DIMS, "--max-time", "0.5"]
    fuse = FullCase(["fuse", small, *DIMS, "--force", "-o", "out.pt"], ["out.pt"], fused)
    return {
        "file": [
            fuse, fuse, fuse,
            FullCase(["fuse", small, *DIMS, "--for", "cpu", "--force", "-o", "out.pt"], ["out.pt"], fused),
            FullCase([*random_int8, "--force", "-o", "out.pt"], ["out.pt"], 4000),
            FullCase([*bench, "--save", "out.json"], ["out.json"], 1500),
            FullCase([*bench, "--html", "out.html"], ["out.html"], 3000),
            FullCase([*tune, "--force", "-o", "out.pt"], ["out.pt"], 4000),
            FullCase([*tune, "--force", "-o", "out.pt", "--html", "out.html"], ["out.pt", "out.html"], 3000),
        ],
        "disk": [
            fuse,
            FullCase(["fuse", large, *DIMS, "--no-verify", "--force", "-o", "out.pt"], ["out.pt"], 14000000),
            FullCase([*random_int8, "--force", "-o", "out.pt"], ["out.pt"], 4096),
            FullCase([*bench, "--save", "out.json", "--html", "out.html"], ["out.json", "out.html"], 1),
            FullCase([*tune, "--force", "-o", "out.pt"], ["out.pt"], 4096),
        ],
    }


def judge_full(series, case, folder, done, may_write, kept=()):
    """The old files have to be there, the exit code 2 and the message one that says why."""
    series.runs += 1
    changed = [name for name in case.outputs if content(folder / name) != OLD]
    series.old += len(case.outputs) - len(changed)
    series.new += len(changed)
    if done.code != 2:
        series.fault(done.call, f"exit code {done.code}, wanted 2: {last_line(done.err)}")
    if changed and not may_write:
        series.fault(done.call, f"not the old file: {changed}")
    if not any(word in done.err for word in ("No space left", "File too large", "can't be written")):
        series.fault(done.call, f"the message does not say why: {last_line(done.err)}")
    left = surplus(folder, [*case.outputs, *kept])
    series.left += len(left)
    if left:
        series.fault(done.call, f"left behind: {left}")


def full_by_limit(series, case, ignores):
    fire = series.fire
    size = fire.random.randrange(1, case.size)
    folder = fire.new_folder()
    for name in case.outputs:
        (folder / name).write_bytes(OLD)
    text = f"no file larger than {size} bytes" + ("" if ignores else ", SIGXFSZ not ignored")
    done = fire.run(case.words, folder, Setting(text, file_size=size, ignores_size=ignores))
    # The first output may be small enough.
    judge_full(series, case, folder, done, may_write=len(case.outputs) > 1)


def full_by_disk(series, case, folder):
    fire = series.fire
    for name in case.outputs:
        (folder / name).write_bytes(OLD)
    free = fire.random.randrange(0, case.size)
    fill(folder, free)
    done = fire.run(case.words, folder)
    done = done._replace(call=f"{done.call} (on a disk with {free} bytes free)")
    judge_full(series, case, folder, done, len(case.outputs) > 1, ["filler"])
    for name in names_in(folder):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def full_stdout(series, networks):
    """What is printed can be cut off, too."""
    fire = series.fire
    for words in (["inspect", networks.small, "--json"], ["fuse", networks.small, *DIMS, "--json", "-o", "out.pt"],
                  ["bench", networks.small, *DIMS, "--quick", "--max-time", "0.3", "--json"],
                  ["fuse", networks.small, *DIMS, "-o", "out.pt"], ["--help"], ["doctor", "--json"]):
        folder = fire.new_folder()
        with open("/dev/full", "wb") as sink:
            done = fire.run(words, folder, stdout=sink)
        series.runs += 1
        if done.code != 2 or "error" not in done.err:
            series.fault(f"{done.call} >/dev/full", f"exit code {done.code}, wanted 2: {last_line(done.err)}")
        left = surplus(folder, ["out.pt"])
        if left:
            series.fault(f"{done.call} >/dev/full", f"left behind: {left}")


def series_full(fire, networks):
    series = Series(fire, "full")
    count = fire.count_of("full")
    cases = full_cases(networks)
    full_stdout(series, networks)
    with mounted(fire.work / "disk", "size=24m") as has_disk:
        if not has_disk:
            fire.skip("full, a small disk", "it takes root to mount one; the limit on a file's size stands for it")
        for index in range(count):
            if has_disk and index % 3 == 2:
                full_by_disk(series, cases["disk"][index // 3 % len(cases["disk"])], fire.work / "disk")
            else:
                full_by_limit(series, cases["file"][index % len(cases["file"])], ignores=index % 5 != 4)
            series.tell(count)


# --- Series 3: two writers -------------------------------------------------------------------------------------------


def two_once(series, networks, index):
    fire = series.fire
    fuse = ["fuse", networks.small, *DIMS]
    pair = [fuse, [*fuse, "--modules", "conv,bn"]]
    if index % 3 == 1:
        pair[1] = ["quantize", networks.small, *DIMS, "--random-calibration", "4"]
    if index % 3 == 2:
        pair = [["fuse", networks.large, *DIMS, "--no-verify"], ["fuse", networks.small, *DIMS, "--no-verify"]]
    wanted = [networks.written(command)[0] for command in pair]
    replaces = index % 2 == 0
    folder = fire.new_folder()
    output = folder / "out.pt"
    if replaces:
        output.write_bytes(OLD)
    setting = Setting("no O_TMPFILE", NO_UNNAMED) if fire.filters and index % 4 >= 2 else Setting()
    tail = ["-o", "out.pt", *(["--force"] if replaces else [])]
    processes = []
    for command in pair:
        processes.append(fire.start([*command, *tail], folder, setting))
        time.sleep(fire.random.uniform(0, 0.05))
    judge_two(series, folder, [fire.finish(process) for process in processes], wanted, replaces)


def judge_two(series, folder, done, wanted, replaces):
    series.runs += 1
    what = " & ".join(one.call for one in done)
    codes = sorted(str(one.code) for one in done)
    if codes != ["0", "0"] and (replaces or codes != ["0", "2"]):
        series.fault(what, f"exit codes {codes}: {[last_line(one.err) for one in done]}")
    for one in done:
        if one.code not in (0, None) and "exists" not in one.err:
            series.fault(what, f"the one that did not write says: {last_line(one.err)}")
    found = content(folder / "out.pt")
    if found in wanted:
        series.new += 1
    else:
        series.fault(what, "the output is neither of the two")
    left = surplus(folder, ["out.pt"])
    series.left += len(left)
    if left:
        series.fault(what, f"left behind: {left}")


def series_two(fire, networks):
    series = Series(fire, "two")
    count = fire.count_of("two")
    for index in range(count):
        two_once(series, networks, index)
        series.tell(count)


# --- Series 4: places ------------------------------------------------------------------------------------------------


class Places:
    def __init__(self, fire, networks):
        self.fire, self.networks = fire, networks
        self.series = Series(fire, "places")
        self.command = ["fuse", networks.small, *DIMS]
        self.new = networks.written(self.command)[0]

    def run(self, output, folder, more=(), setting=None):
        """`fusekit fuse IN -o OUTPUT`, which may take any bytes."""
        self.series.runs += 1
        return self.fire.run([*self.command, "-o", output, *more], folder, setting)

    def report(self, path, folder, option="--html"):
        """A text file that another command writes."""
        self.series.runs += 1
        words = ["bench", self.networks.small, *DIMS, "--quick", "--max-time", "0.3", option, path]
        return self.fire.run(words, folder)

    def each_way(self, output, folder):
        """One run after the other: without --force, with it, and a report."""
        yield self.run(output, folder)
        yield self.run(output, folder, ["--force"])
        yield self.report(output, folder)

    def refused_at_once(self, output, folder):
        """Before any work: with an input that is not there, the message is about the output."""
        self.series.runs += 1
        done = self.fire.run(["fuse", "no-input.pt", "-o", output], folder)
        if "no-input.pt" in done.err:
            found = f"-o {os.fspath(output)[:40]} is refused only after all the work: {last_line(done.err)}"
            self.series.fault(done.call[:60], found)

    def refused(self, done, folder, names, untouched=(), says=""):
        """Exit code 2 and a message, the folder as it was."""
        if done.code != 2 or "error: " not in done.err:
            self.series.fault(done.call, f"exit code {done.code}, wanted 2: {last_line(done.err)}")
        if says and says not in done.err:
            self.series.fault(done.call, f"the message does not say '{says}': {last_line(done.err)}")
        self.unchanged(done, folder, names, untouched)

    def unchanged(self, done, folder, names, untouched):
        self.clean(done, folder, names)
        for path, old in untouched:
            self.series.old += content(path) == old
            if content(path) != old:
                self.series.fault(done.call, f"{path.name} is no longer what it was")

    def written(self, done, folder, names, path, new=None):
        if done.code != 0:
            self.series.fault(done.call, f"exit code {done.code}, wanted 0: {done.err.strip()[:300]}")
        elif content(path) != (new or self.new):
            self.series.fault(done.call, "the output is not the new file")
        else:
            self.series.new += 1
        self.clean(done, folder, names)

    def clean(self, done, folder, names):
        left = surplus(folder, names)
        self.series.left += len(left)
        if left:
            self.series.fault(done.call, f"left behind: {left}")

    # What can't be an output.

    def place_no_folder(self, folder):
        self.refused(self.run("nowhere/out.pt", folder), folder, [])
        self.refused(self.report("nowhere/out.html", folder), folder, [])

    def place_folder(self, folder):
        (folder / "out.pt").mkdir()
        self.refused(self.run("out.pt", folder, ["--force"]), folder, ["out.pt"])
        self.refused(self.run("out.pt/", folder, ["--force"]), folder, ["out.pt"])
        self.refused(self.report("out.pt", folder), folder, ["out.pt"])

    def place_pipe(self, folder):
        os.mkfifo(folder / "out.pt")
        for done in (self.run("out.pt", folder, ["--force"]), self.report("out.pt", folder)):
            self.refused(done, folder, ["out.pt"])
        if not stat.S_ISFIFO(os.lstat(folder / "out.pt").st_mode):
            self.series.fault("fuse -o PIPE", "the pipe is gone")

    def place_devices(self, folder):
        before = os.listdir("/dev")
        for device in ("/dev/full", "/dev/null"):
            for done in (self.run(device, folder, ["--force"]), self.report(device, folder)):
                self.refused(done, folder, [])
            if not stat.S_ISCHR(os.lstat(device).st_mode):
                stop(f"{device} is no device any more")
        if set(os.listdir("/dev")) - set(before):
            self.series.fault("fuse -o /dev/full", f"left in /dev: {set(os.listdir('/dev')) - set(before)}")

    def place_loop(self, folder):
        (folder / "a.pt").symlink_to("b.pt")
        (folder / "b.pt").symlink_to("a.pt")
        for done in self.each_way("a.pt", folder):
            self.refused(done, folder, ["a.pt", "b.pt"])
            if not (folder / "a.pt").is_symlink():
                self.series.fault(done.call, "the symbolic link was replaced")
                (folder / "a.pt").unlink()
                (folder / "a.pt").symlink_to("b.pt")

    def place_exists(self, folder):
        (folder / "out.pt").write_bytes(OLD)
        self.refused(self.run("out.pt", folder), folder, ["out.pt"], [(folder / "out.pt", OLD)], "exists")

    # Symbolic links.

    def place_link(self, folder):
        """To a file in another folder, which is the one that is written to."""
        other = folder / "other"
        here = folder / "here"
        for place in (other, here):
            place.mkdir()
        (other / "real.pt").write_bytes(OLD)
        (here / "out.pt").symlink_to("../other/real.pt")
        (here / "folder").symlink_to("../other")
        done = self.run("out.pt", here, ["--force"])
        self.written(done, other, ["real.pt"], other / "real.pt")
        self.clean(done, here, ["out.pt", "folder"])
        if not (here / "out.pt").is_symlink():
            self.series.fault(done.call, "the symbolic link was replaced by the file")
        done = self.run("folder/new.pt", here)
        self.written(done, other, ["real.pt", "new.pt"], other / "new.pt")

    def place_dangling(self, folder):
        """The file behind the link is made; a refusal is all right, too, as long as the link stays."""
        link = folder / "out.pt"
        for more in ([], ["--force"]):
            link.unlink(missing_ok=True)
            link.symlink_to("real.pt")
            (folder / "real.pt").unlink(missing_ok=True)
            self.keeps_link(self.run("out.pt", folder, more), folder, link)

    def keeps_link(self, done, folder, link):
        if not link.is_symlink():
            return self.series.fault(done.call, "the dangling symbolic link was replaced by the file")
        if done.code == 0:
            return self.written(done, folder, ["out.pt", "real.pt"], folder / "real.pt")
        self.refused(done, folder, ["out.pt"])
        if "File exists" in done.err:
            self.series.fault(done.call, f"refused only after all the work, and misleadingly: {done.err.strip()[:200]}")
        return None

    def place_report_link(self, folder):
        """A report goes where the link leads, as a network does."""
        for option, name in (("--html", "out.html"), ("--save", "out.json")):
            for exists in (True, False):
                real = folder / f"real-{exists}-{name}"
                link = folder / f"{exists}-{name}"
                if exists:
                    real.write_bytes(OLD)
                link.symlink_to(real.name)
                done = self.report(link.name, folder, option)
                if not link.is_symlink():
                    now = "still old" if exists else "not made"
                    found = f"the symbolic link was replaced by the file; where it led to is {now}"
                    self.series.fault(done.call, found)

    # Names.

    def place_long_name(self, folder):
        name = "n" * 252 + ".pt"
        self.written(self.run(name, folder), folder, [name], folder / name)
        self.written(self.run(name, folder, ["--force"]), folder, [name], folder / name)
        (folder / name).unlink()
        self.refused(self.run("n" + name, folder), folder, [])
        self.refused_at_once("n" + name, folder)

    def place_names(self, folder):
        """Bytes that are no UTF-8, a leading dash, a line end, spaces, and those that a shell would take."""
        for name in (b"caf\xe9.pt", b"-x.pt", b"a\nb.pt", b" x .pt", b"$(x);'\".pt", "日本.pt".encode()):
            text = os.fsdecode(name)
            done = self.run("./" + text, folder, ["--json"])
            self.written(done, folder, [text], folder / text)
            try:
                json.loads(done.out)
            except ValueError as error:
                self.series.fault(done.call, f"what --json printed can't be read: {error}")
            (folder / text).unlink(missing_ok=True)

    def place_bare_dash(self, folder):
        done = self.run("-x.pt", folder)
        if done.code == 0:
            self.written(done, folder, ["-x.pt"], folder / "-x.pt")
        else:
            self.refused(done, folder, [])

    # File systems.

    def place_plain_systems(self, folder):
        """Without files that have no name, without flags of rename, without locks."""
        if not self.fire.filters:
            return self.fire.skip("places, plain file systems", "no filter of system calls")
        for text, rules in (("no O_TMPFILE", NO_UNNAMED), ("no O_TMPFILE, no flags of renameat2", NO_FLAGS),
                            ("no O_TMPFILE, no locks", NO_LOCKS)):
            (folder / "out.pt").unlink(missing_ok=True)
            setting = Setting(text, rules)
            self.written(self.run("out.pt", folder, [], setting), folder, ["out.pt"], folder / "out.pt")
            (folder / "out.pt").write_bytes(OLD)
            self.written(self.run("out.pt", folder, ["--force"], setting), folder, ["out.pt"], folder / "out.pt")
        return None

    def place_failing_calls(self, folder):
        """The disk fails at one of the last steps."""
        if not self.fire.filters:
            return
        (folder / "out.pt").write_bytes(OLD)
        for call, error in (("fsync", EIO), ("fsync", ENOSPC), ("linkat", ENOSPC), ("rename", EIO)):
            for plain in ([], NO_UNNAMED):
                if plain and call == "linkat":
                    continue
                text = f"{call} fails with {os.strerror(error)}" + (", no O_TMPFILE" if plain else "")
                setting = Setting(text, [*plain, *rules_for(call, ERRNO | error)])
                done = self.run("out.pt", folder, ["--force"], setting)
                self.refused(done, folder, ["out.pt"], [(folder / "out.pt", OLD)], os.strerror(error))

    def place_read_only(self, folder):
        if not self.fire.is_root:
            locked = folder / "locked"
            locked.mkdir(mode=0o555)
            return self.refused(self.run("locked/out.pt", folder), folder, ["locked"])
        with mounted(folder / "disk", "ro,size=1m") as done:
            if done:
                self.refused(self.run("disk/out.pt", folder), folder, ["disk"])
                self.refused(self.report("disk/out.html", folder), folder, ["disk"])
        return None

    def place_other_user(self, folder):
        """Folders and files of another user, for one who is not root."""
        user = Setting("as another user", user=NOBODY)
        if not self.fire.is_root or self.fire.run(["--version"], "/", user).code != 0:
            return self.fire.skip("places, as another user", "it takes root and a program that all users can read")
        network = self.networks.small.read_bytes()
        with mounted(folder / "disk", "size=8m,mode=755") as done:
            if not done:
                return None
            disk = folder / "disk"
            (disk / "in.pt").write_bytes(network)
            for name, mode in (("locked", 0o755), ("sticky", 0o1777)):
                (disk / name).mkdir()
                (disk / name / "out.pt").write_bytes(OLD)
                (disk / name).chmod(mode)
                self.as_user(disk / name, user)
        return None

    def as_user(self, place, user):
        os.chmod(self.fire.work, 0o755)
        for more in (["--force"], []):
            self.series.runs += 1
            words = ["fuse", "../in.pt", *DIMS, "-o", "out.pt" if more else "other.pt", *more]
            done = self.fire.run(words, place, user)
            if not more and place.name == "sticky":
                self.written(done, place, ["out.pt", "other.pt"], place / "other.pt")
            else:
                self.refused(done, place, ["out.pt"], [(place / "out.pt", OLD)])

    def place_no_inodes(self, folder):
        with mounted(folder / "disk", "size=8m,nr_inodes=3") as done:
            if not done:
                return self.fire.skip("places, a disk without inodes", "it takes root to mount one")
            disk = folder / "disk"
            (disk / "out.pt").write_bytes(OLD)
            with contextlib.suppress(OSError):
                for index in range(9):
                    (disk / f"filler-{index}").touch()
            names = names_in(disk)
            done = self.run("disk/out.pt", folder, ["--force"])
            self.refused(done, disk, names, [(disk / "out.pt", OLD)], "No space")
            self.refused(self.run("disk/other.pt", folder), disk, names, [], "No space")
            self.refused(self.report("disk/out.html", folder), disk, names, [], "No space")
        return None

    def place_no_proc(self, folder):
        """A refusal is all right, too, as long as it does not blame the output's folder, which is there."""
        if not self.fire.is_root:
            return self.fire.skip("places, without /proc", "it takes root to hide it")
        for more in ([], ["--no-verify"]):
            (folder / "out.pt").unlink(missing_ok=True)
            done = self.run("out.pt", folder, more, Setting("without /proc", has_proc=False))
            if done.code == 0:
                self.written(done, folder, ["out.pt"], folder / "out.pt")
                continue
            self.refused(done, folder, [])
            if "no such file" in done.err or "mkdir" in done.err:
                self.series.fault(done.call, f"the message misleads: {' '.join(done.err.split())[-200:]}")
        return None

    def place_time_limit(self, folder):
        """A run that is ended at its limit on the time has to take its files along."""
        words = ["tune", self.networks.large, "--input_dims", "4,3,224,224", "--threads", "1", "--max-time", "1"]
        for limit in ("0.05", "0.08", "0.12", "0.16", "0.2"):
            self.series.runs += 1
            done = self.fire.run([*words, "--run-limit", limit, "--force", "-o", "out.pt"], folder)
            self.clean(done, folder, ["out.pt"])
            for name in surplus(folder, ["out.pt"]):
                shutil.rmtree(folder / name)

    # What else belongs to a file.

    def place_permissions(self, folder):
        output = folder / "out.pt"
        output.write_bytes(OLD)
        output.chmod(0o640)
        if self.fire.is_root:
            os.chown(output, 1234, 4321)
        before = os.stat(output)
        done = self.run("out.pt", folder, ["--force"])
        self.written(done, folder, ["out.pt"], output)
        after = os.stat(output)
        kept = [getattr(before, field) == getattr(after, field) for field in ("st_mode", "st_uid", "st_gid")]
        if not all(kept):
            self.series.fault(done.call, f"mode or owner were not kept: {oct(before.st_mode)} to {oct(after.st_mode)}")

    def place_new_permissions(self, folder):
        mask = os.umask(0o027)
        try:
            done = self.run("out.pt", folder)
            plain = self.run("plain.pt", folder, [], Setting("no O_TMPFILE", NO_UNNAMED if self.fire.filters else []))
        finally:
            os.umask(mask)
        self.written(done, folder, ["out.pt", "plain.pt"], folder / "out.pt")
        for one, name in ((done, "out.pt"), (plain, "plain.pt")):
            if (folder / name).stat().st_mode & 0o777 != 0o640:
                self.series.fault(one.call, f"a new file's mode is {oct((folder / name).stat().st_mode)}, umask 027")

    def place_closed_streams(self, folder):
        """What is printed must not end in the file that gets the number of a closed stream."""
        for files in ((1,), (2,), (0, 1, 2)):
            (folder / "out.pt").unlink(missing_ok=True)
            done = self.run("out.pt", folder, [], Setting(f"closed before: {files}", files=files))
            if content(folder / "out.pt") not in (None, self.new):
                self.series.fault(done.call, "the file is not the new one: what was printed may be in it")
            if done.code not in (0, 2) or (done.code == 0 and content(folder / "out.pt") != self.new):
                self.series.fault(done.call, f"exit code {done.code}")
            self.clean(done, folder, ["out.pt"])

    def all(self):
        for name in dir(self):
            if name.startswith("place_"):
                getattr(self, name)(self.fire.new_folder())


def series_places(fire, networks):
    Places(fire, networks).all()


# --- Series 5: the same bytes ----------------------------------------------------------------------------------------


def changed_environment(**changes):
    environment = dict(os.environ)
    for name, value in changes.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return environment


def variations(fire):
    """Names, words and settings that may not change the bytes."""
    yield "again, later", "out.pt", [], Setting()
    yield "another name and folder", "a/b/another name.pt", [], Setting()
    yield "two threads", "out.pt", ["--threads", "2"], Setting()
    for text, changes in (("another language", {"LANG": "de_DE.UTF-8", "LC_ALL": "tr_TR.UTF-8"}),
                          ("another time zone", {"TZ": "Pacific/Auckland"}),
                          ("HOME, USER and LANG unset", {"HOME": None, "USER": None, "LANG": None}),
                          ("TMPDIR=/nowhere", {"TMPDIR": "/nowhere"}),
                          ("OMP_NUM_THREADS=3", {"OMP_NUM_THREADS": "3"})):
        yield text, "out.pt", [], Setting(text, environment=changed_environment(**changes))
    if fire.filters:
        yield "no O_TMPFILE", "out.pt", [], Setting("no O_TMPFILE", NO_UNNAMED)


def same_bytes(series, first, command, variation):
    fire = series.fire
    text, name, more, setting = variation
    folder = fire.new_folder()
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    words = [word for word in command if not more or word not in ("--threads", "1")]
    done = fire.run([*words, *more, "-o", name], folder, setting)
    series.runs += 1
    if done.code != 0:
        return series.fault(f"{done.call} ({text})", f"exit code {done.code}: {last_line(done.err)}")
    found = content(folder / name)
    if found == first:
        series.new += 1
        return None
    place = next((i for i, (a, b) in enumerate(zip(first, found)) if a != b), min(len(first), len(found)))
    found_text = f"other bytes from byte {place} on ({len(first)} and {len(found)} bytes)"
    return series.fault(f"{done.call} ({text})", found_text)


def same_under_faketime(series, first, command):
    fire = series.fire
    folder = fire.new_folder()
    call = ["faketime", "2001-02-03 04:05:06", fire.program, *map(str, command), "-o", "out.pt"]
    done = subprocess.run(call, cwd=folder, capture_output=True, check=False)
    series.runs += 1
    if done.returncode != 0 or content(folder / "out.pt") != first:
        series.fault(" ".join(call), f"exit code {done.returncode}, or other bytes")


def series_same(fire, networks):
    series = Series(fire, "same")
    dims = ["--input_dims", "1,3,32,32", "--threads", "1"]
    quantize = ["--random-calibration", "4"]
    has_faketime = shutil.which("faketime") is not None
    if not has_faketime:
        fire.skip("same, at another time", "there is no faketime")
    for network in (networks.small, networks.large):
        for command in (["fuse", network, *dims], ["fuse", network, *dims, "--for", "cpu"],
                        ["quantize", network, *dims, *quantize]):
            first = networks.written(command)[0]
            if network == networks.small:
                time.sleep(2.1)  # a zip file's times have steps of two seconds
            for variation in variations(fire):
                if network == networks.small or variation[0] in ("again, later", "two threads"):
                    same_bytes(series, first, command, variation)
            if has_faketime:
                same_under_faketime(series, first, command)


# --- The table -------------------------------------------------------------------------------------------------------

ALL = {"kill": series_kill, "full": series_full, "two": series_two, "places": series_places, "same": series_same}


def print_table(fire):
    print("| series | runs | old | new | left behind | faults |\n|---|---|---|---|---|---|")
    for row in fire.rows:
        print(f"| {row.name} | {row.runs} | {row.old} | {row.new} | {row.left} | {row.faults} |")
    for text in fire.skipped:
        print(f"\nleft out: {text}")
    for name, call, found in fire.faults:
        print(f"\n{name}: `{call}`\n  {' '.join(found.split())}")


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", help="folder to work in (default: a new one, which is removed)")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("series", nargs="*")
    arguments = parser.parse_args(words)
    for name in arguments.series:
        if name not in ALL:
            stop(f"{name}: there is no such series; {', '.join(ALL)} are")
    return arguments


def main():
    arguments = parse(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # so that what is mounted goes
    with contextlib.ExitStack() as stack:
        work = arguments.work or stack.enter_context(tempfile.TemporaryDirectory())
        work = pathlib.Path(work).resolve()
        work.mkdir(parents=True, exist_ok=True)
        fire = Fire(pathlib.Path(arguments.program).resolve(), work, arguments.count, arguments.seed)
        networks = Networks(fire)
        try:
            for name in arguments.series or ALL:
                ALL[name](fire, networks)
        finally:
            print_table(fire)
    sys.exit(1 if fire.faults else 0)


if __name__ == "__main__":
    main()
