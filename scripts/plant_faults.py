"""Reads the list of faults in tests/faults/ for scripts/plant_faults.sh, and writes the copy of the sources that has them.

plant_faults.py copy FOLDER: copies what git knows of the project to FOLDER, with every fault in it, each asleep until
FUSEKIT_FAULT names it. Files that would not change are left alone, so that nothing of them is compiled again.
plant_faults.py list [NAME...] [--quick COUNT]: a line "room, name, filter of its tests" for each fault (with a tab
between them), for those that are named, or for about COUNT that are spread over all rooms.
tests/README.md describes the list.
"""

import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

PLANTED = """#pragma once
#include <cstdlib>
#include <cstring>
namespace fusekit {
inline bool planted(const char* name) {
  static const char* const fault = std::getenv("FUSEKIT_FAULT");
  return fault != nullptr && std::strcmp(fault, name) == 0;
}
}  // namespace fusekit
"""


@dataclass
class Fault:
    room: str
    name: str
    tests: str
    file: str
    original: str
    mutated: str
    begin: int = 0
    end: int = 0

    def planted(self, original):
        """What stands for the original text, which may itself have faults in it by now."""
        condition = f'::fusekit::planted("{self.name}")'
        if self.original.endswith(";"):
            return f"{{ if ({condition}) {{ {self.mutated} }} else {{ {original} }} }}"
        return f"({condition} ? ({self.mutated}) : ({original}))"


def stop(message):
    sys.exit(f"error: {message}")


def read_faults():
    faults = []
    for path in sorted(pathlib.Path("tests/faults").glob("*.txt")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            heading = re.fullmatch(r"\[([a-z0-9-]+)\] (\S+)", line)
            if heading:
                faults.append(Fault(path.stem, heading[1], heading[2], "", "", ""))
            elif line.startswith(("- ", "+ ", "src/", "models/")) and faults:
                fault = faults[-1]
                if line.startswith("- "):
                    fault.original = f"{fault.original}\n{line[2:]}".strip()
                elif line.startswith("+ "):
                    fault.mutated = f"{fault.mutated}\n{line[2:]}".strip()
                else:
                    fault.file = line
            elif line.strip() not in ("", "+") and not line.startswith("#"):
                stop(f"{path}:{number}: what is this? {line}")
    names = [fault.name for fault in faults]
    for name in names:
        if names.count(name) > 1:
            stop(f"two faults are called {name}")
    return faults


def pattern_of(text):
    """A pattern that finds the text however its lines are broken."""
    words = r"\s+".join(re.escape(word) for word in text.split())
    return (r"\s*" if text[:1].isspace() else "") + words + (r"\s*" if text[-1:].isspace() else "")


def malformed(fault):
    """Why the texts, of which one is to stand for the other, are neither statements nor expressions; None where they are."""
    if fault.original.endswith(";"):
        texts = [fault.original, fault.mutated]
    elif fault.mutated and not fault.mutated.endswith(";"):
        texts = [fault.original, fault.mutated]
        if any(re.match(r"(if|for|while|return|throw)\b|&&|\|\||\{|[a-z_]+_\(", text) for text in texts):
            return "an expression does not begin like this"
    else:
        return "one of its texts is a statement, the other is none"
    unbalanced = any(text.count(one) != text.count(other) for text in texts for one, other in ("()", "{}", "[]"))
    return "its brackets are not balanced" if unbalanced else None


def find(fault, text):
    """Finds where the original text stands in its file, and says what is wrong where it does not. Of `a @b@ c` it is b, and
    the rest says which b is meant."""
    before, original, after = fault.original.split("@") if "@" in fault.original else ("", fault.original, "")
    pattern = f"{pattern_of(before)}({pattern_of(original)}){pattern_of(after)}"
    found = list(re.finditer(pattern, text))
    if not original or len(found) != 1:
        return f"{fault.name}: its original text is in {fault.file} {len(found)} times, not once: {fault.original}"
    fault.original = original
    fault.begin, fault.end = found[0].span(1)
    wrong = malformed(fault)
    return f"{fault.name}: {wrong}: {original} -> {fault.mutated}" if wrong else None


def plant(text, begin, end, faults):
    """text[begin:end] with these faults, the outermost first, in it."""
    result, position = "", begin
    while faults:
        outer, faults = faults[0], faults[1:]
        inner = [fault for fault in faults if fault.begin < outer.end]
        faults = faults[len(inner) :]
        if any(fault.end > outer.end for fault in inner):
            stop(f"fault {outer.name} and another begin within one another: {[fault.name for fault in inner]}")
        original = plant(text, outer.begin, outer.end, inner)
        result += text[position : outer.begin] + outer.planted(original)
        position = outer.end
    return result + text[position:end]


def with_faults(file, text, faults):
    stale = [problem for problem in (find(fault, text) for fault in faults) if problem]
    if stale:
        return stale, ""
    faults.sort(key=lambda fault: (fault.begin, -fault.end))
    return [], f'#include "planted.h"\n#line 1 "{file}"\n' + plant(text, 0, len(text), faults)


def write(path, content):
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def copy(folder):
    faults = read_faults()
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True, text=True).stdout
    files = {name for name in listed.split("\0") if pathlib.Path(name).is_file()}
    stale = [f"{fault.name}: there is no file {fault.file}" for fault in faults if fault.file not in files]
    for name in files:
        content = pathlib.Path(name).read_bytes()
        of_file = [fault for fault in faults if fault.file == name]
        if of_file:
            problems, text = with_faults(name, content.decode(), of_file)
            stale += problems
            content = text.encode()
        write(folder / name, content)
    if stale:
        stop("faults that the code has left behind:\n  " + "\n  ".join(stale))
    write(folder / "src/planted.h", PLANTED.encode())
    for path in folder.rglob("*"):
        if path.is_file() and str(path.relative_to(folder)) not in files | {"src/planted.h"}:
            path.unlink()


def select(names, quick):
    faults = read_faults()
    known = {fault.name for fault in faults}
    for name in names:
        if name not in known:
            stop(f"there is no fault {name}")
    if names:
        return [fault for fault in faults if fault.name in names]
    if not quick:
        return faults
    step = max(1, len(faults) / quick)
    return [faults[int(i * step)] for i in range(min(quick, len(faults)))]


def main():
    command, *arguments = sys.argv[1:]
    if command == "copy":
        copy(pathlib.Path(arguments[0]))
        return
    quick = 0
    if "--quick" in arguments:
        at = arguments.index("--quick")
        quick = int(arguments[at + 1])
        del arguments[at : at + 2]
    for fault in select(arguments, quick):
        print(fault.room, fault.name, fault.tests, sep="\t")


main()
