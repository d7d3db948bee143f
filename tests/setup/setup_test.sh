#!/usr/bin/env bash
# Each way on which scripts/setup.sh and scripts/build_arm64.sh get to LibTorch: setup_test.sh, quick, without a network.
#   It runs a copy of the scripts in a temporary folder. pip is the real one; the indexes that it asks are folders with
#   tiny wheels that a server on this machine gives out. apt-get and what else would change or tell of this machine are
#   stand-ins. Exit 0: all is well; 1: the first thing that is not; 77: this machine has no pip.
set -euo pipefail
sources=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

# Nothing of the user's settings may reach the scripts.
unset "${!PIP_@}" "${!FUSEKIT_@}"
export PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 no_proxy=127.0.0.1

for python in python3 /usr/bin/python3 ""; do
  [ -n "$python" ] || { echo "no Python here has pip: nothing tested" && exit 77; }
  ! "$python" -c 'import pip' 2>/dev/null || break
done
python=$("$python" -c 'import sys; print(sys.executable)')
version=$(sed -n 's/^libtorch_version=//p' "$sources/scripts/lib.sh")
real_machine=$(uname -m)

# Stand-ins for programs. CASE is the folder of the case that runs, MACHINE what uname says, APT_HAS what apt-get finds.
mkdir stand-ins
stand_in() {
  { echo '#!/usr/bin/env bash' && cat; } >"stand-ins/$1"
  chmod +x "stand-ins/$1"
}
stand_in python3 <<<"'$python' \"\$@\"; exit" # it does not pass on signals, as pyenv's does not
stand_in uname <<<"if [ \"\$*\" = -m ]; then echo \"\$MACHINE\"; else exec '$(command -v uname)' \"\$@\"; fi"
stand_in sudo <<<'[ "$1" != -n ] || shift; exec "$@"'
stand_in cmake <<<'echo "cmake $*" >>"$CASE/calls"'
stand_in ctest <<<'echo "ctest $*" >>"$CASE/calls"'
stand_in dpkg-query <<'END'
for package in "${@:4}"; do
  [ "$package" = libtorch-dev ] && [ ! -e "$CASE/installed" ] || echo "$package installed"
done
END
stand_in apt-get <<'END'
echo "apt-get $*" >>"$CASE/calls"
[ "$1" != install ] || [[ " $* " != *" libtorch-dev "* ]] || { [ -n "$APT_HAS" ] && touch "$CASE/installed"; } || exit 100
END
stand_in unzip <<END
if [ "\$1" = -q ] && [ -e "\$CASE/kill" ]; then # kills set-up while it unpacks
  mkdir -p "\${@: -1}/torch/share/cmake/Torch" && touch "\${@: -1}/torch/share/cmake/Torch/TorchConfig.cmake"
  kill -KILL \$PPID
else
  exec '$(command -v unzip)' "\$@"
fi
END
export PATH=$work/stand-ins:$PATH

# The indexes, one folder each.
"$python" - "$version" "$real_machine" <<'END'
import os, sys, zipfile
version, real_machine = sys.argv[1:]

def wheel(index, machine, build, label="+cpu", python="cp311", platform="manylinux_2_28"):
    folder = f"indexes/{index}/torch"
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/torch-{version}{label}-{python}-{python}-{platform}_{machine}.whl"
    info = f"torch-{version}{label}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        if build == "cuda":
            file.writestr("torch/lib/libtorch_cuda.so", "")
            file.writestr("torch/lib/libtorch_cpu.so", "")
            for i in range(1500):  # a list of files that is longer than a pipe holds
                file.writestr(f"torch/include/header_{i}_with_a_name_of_the_usual_length.h", "")
        file.writestr("torch/lib/libtorch.so", f"{index} {machine} {build}\n")
        file.writestr("torch/include/ATen.h", "")
        file.writestr("torch/share/cmake/Torch/TorchConfig.cmake", "")
        needs = "Requires-Dist: cuda-toolkit[cublas,cudart,cupti]==13.0.3; platform_system == 'Linux'\n"
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}{label}\n"
                      + (needs if build == "cuda" else ""))
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {python}-{python}-{platform}_{machine}\n")
        file.writestr(f"{info}/RECORD", "")
    return path

def plain_wheel(index, name, version, tag, files, metadata=""):
    folder, name_in_file = f"indexes/{index}/{name}", name.replace("-", "_")
    os.makedirs(folder, exist_ok=True)
    with zipfile.ZipFile(f"{folder}/{name_in_file}-{version}-{tag}.whl", "w") as file:
        for path in files:
            file.writestr(path, "")
        info = f"{name_in_file}-{version}.dist-info"
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}")
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        file.writestr(f"{info}/RECORD", "")

plain_wheel("cuda", "cuda-toolkit", "13.0.3", "py3-none-any", [],
            "Provides-Extra: cudart\nRequires-Dist: nvidia-cuda-runtime==13.0.*; extra == 'cudart'\n"
            "Provides-Extra: cupti\nRequires-Dist: nvidia-cuda-cupti==13.0.*; extra == 'cupti'\n")
for name, library, platform in ("runtime", "cudart", "2_17"), ("cupti", "cupti", "2_25"):
    plain_wheel("cuda", f"nvidia-cuda-{name}", "13.0.9", f"py3-none-manylinux_{platform}_aarch64",
                [f"nvidia/cu13/lib/lib{library}.so.13", "nvidia/cu13/lib/libother.so.13"])
for machine in "x86_64", "aarch64":
    wheel("cpu", machine, "cpu")
    wheel("cuda", machine, "cuda")  # what is in a wheel counts, not its name
    wheel("public", machine, "cpu")
os.truncate(wheel("large", "x86_64", "cuda", label=""), 450_000_000)  # takes no room on the disk
this_python = "cp{}{}".format(*sys.version_info)
wheel("this-python", real_machine, "cpu", "", this_python, "linux")
END
: >requests
timeout 600 "$python" -u -m http.server 0 --bind 127.0.0.1 --directory indexes >requests 2>&1 &
server=$!
until url=$(grep -o 'http://[0-9.:]*' requests); do
  kill -0 "$server" 2>/dev/null || { cat requests && exit 1; }
  sleep 0.05
done
nowhere=http://127.0.0.1:1

# begin TITLE: what follows is a case of its own, on a machine that has nothing yet.
begin() {
  title=$1
  export CASE=$work/case MACHINE=x86_64 APT_HAS=libtorch-dev
  rm -rf "$CASE"
  mkdir "$CASE"
  cp -r "$sources/scripts" "$sources/CMakePresets.json" "$CASE"
  cd "$CASE"
  touch calls
  : >"$work/requests"
}

# run [NAME=VALUE...] COMMAND...: sets `code` to its exit code; what it says is in the file `said`.
run() {
  code=0
  { env "$@" >said 2>&1 </dev/null || code=$?; } 2>/dev/null # the shell's own note that a command was killed
}

# expect WHAT COMMAND...: the command has to be true.
expect() {
  if ! "${@:2}"; then
    printf 'FAILED: %s: %s\n' "$title" "$1"
    tail -v -n +1 said calls "$work/requests"
    exit 1
  fi
}
expect_exit() { expect "exit code $1, not $code" [ "$code" -eq "$1" ]; }
expect_says() { expect "says '$1'" grep -qF -- "$1" said; }
expect_called() { expect "calls $1" grep -qF -- "$1" calls; }
expect_not_called() { expect "does not call $1" not grep -qF -- "$1" calls; }
expect_asked() { expect "asks the index $1" grep -q "GET /$1/" "$work/requests"; }
expect_not_asked() { expect "does not ask the index $1" not grep -q "GET /$1/" "$work/requests"; }
expect_libtorch() { expect "LibTorch of $1" [ "$(cat ".deps/libtorch-$version/lib/libtorch.so" 2>&1)" = "$1" ]; }
expect_default_preset() {
  expect "preset $1 where none is given" [ "$(bash -c 'source scripts/lib.sh; default_preset')" = "$1" ]
}
expect_nothing_half_done() {
  expect "leaves nothing but what belongs there" \
    [ -z "$(find .deps -mindepth 1 -maxdepth 1 ! -name "libtorch-$version" ! -name lock ! -name use-debian)" ]
}
expect_no_libtorch() { expect "leaves no LibTorch" [ ! -e ".deps/libtorch-$version" ]; }
not() { ! "$@"; }

begin "pip's own index has the CPU wheel"
run PIP_INDEX_URL="$url/cpu" FUSEKIT_TORCH_INDEX="$url/public" scripts/setup.sh
expect_exit 0
expect_libtorch "cpu x86_64 cpu"
expect_not_asked public
expect_not_called apt-get
expect_nothing_half_done
expect_default_preset release
run PIP_INDEX_URL=$nowhere FUSEKIT_TORCH_INDEX=$nowhere scripts/setup.sh release
expect_exit 0
expect "says nothing where all is there" [ ! -s said ]

begin "pip's own index has a CUDA build only"
run PIP_INDEX_URL="$url/cuda" FUSEKIT_TORCH_INDEX="$url/public" scripts/setup.sh
expect_exit 0
expect_says "pip's index has a CUDA build only"
expect_says "asking $url/public for the CPU wheel of torch $version for x86_64"
expect_libtorch "public x86_64 cpu"
expect_not_called apt-get
expect_nothing_half_done
expect_default_preset release

begin "a large CUDA build, and FUSEKIT_TORCH_INDEX forbids another index"
run PIP_INDEX_URL="$url/large" FUSEKIT_TORCH_INDEX= scripts/test.sh
expect_exit 0
expect_says "that is the size of a CUDA build: not downloading it"
expect "stops pip at once" [ "$(sed -n '/not downloading it/ { n; s/ .*//p }' said)" = "==" ] # no more lines of pip's
expect_says "there is no CPU wheel of torch $version for x86_64 in pip's index"
expect_says "using libtorch-dev of Debian or Ubuntu, with the preset debian"
expect_called "apt-get install -y -qq --no-install-recommends libtorch-dev"
expect_called "cmake --preset debian"
expect_called "cmake --build build/debian"
expect_called "ctest --preset debian"
expect_no_libtorch
expect_nothing_half_done
title="a second run after that"
: >"$work/requests"
run PIP_INDEX_URL="$url/large" FUSEKIT_TORCH_INDEX= scripts/demo.sh
expect_not_asked large
expect_says "build/debian/fusekit doctor"
title="the preset release after that"
run PIP_INDEX_URL="$url/cuda" FUSEKIT_TORCH_INDEX= scripts/build.sh release
expect_exit 2
expect_says "error: no CPU wheel of torch $version for x86_64 in pip's index, which the preset release needs"
expect_not_called "cmake --preset release"
expect_default_preset debian
run PIP_INDEX_URL="$url/cpu" scripts/build.sh release
expect_exit 0
expect_called "cmake --preset release"
expect_default_preset release

begin "no index answers"
run PIP_INDEX_URL=$nowhere FUSEKIT_TORCH_INDEX=$nowhere scripts/setup.sh
expect_exit 0
expect_says "pip's index does not answer"
expect_says "$nowhere does not answer"
expect_says "using libtorch-dev of Debian or Ubuntu"
expect_default_preset debian
expect_nothing_half_done

begin "aarch64 takes its own wheel"
export MACHINE=aarch64
run PIP_INDEX_URL="$url/cpu" scripts/setup.sh
expect_exit 0
expect_libtorch "cpu aarch64 cpu"

begin "aarch64, and pip's own index has a CUDA build only"
export MACHINE=aarch64
run PIP_INDEX_URL="$url/cuda" FUSEKIT_TORCH_INDEX="$url/public" scripts/setup.sh
expect_exit 0
expect_libtorch "public aarch64 cpu"

# begin_arm64 TITLE: Debian's arm64 packages are unpacked already.
arm64_libtorch=.deps/arm64-libtorch-$version
begin_arm64() {
  begin "$1"
  mkdir -p .deps/arm64-root/usr/include cmake
  touch .deps/arm64-root/usr/include/seccomp.h
  cp -r "$sources/cmake/cpu_part" cmake
}
expect_arm64_files() {
  expect "$1 in LibTorch for ARM" [ "$(cd "$arm64_libtorch/lib" && echo *)" = "$1" ]
  expect "leaves nothing but what belongs there" [ "$(cd .deps && echo *)" = "arm64-libtorch-$version arm64-root lock" ]
}

begin_arm64 "build_arm64.sh takes the wheel for ARM on another machine"
run PIP_INDEX_URL="$url/cpu" scripts/build_arm64.sh arm64-2.13
expect_exit 0
expect_arm64_files libtorch.so
expect "the wheel for ARM" grep -q aarch64 "$arm64_libtorch/lib/libtorch.so"
expect_called "cmake --build --preset arm64-2.13"

begin_arm64 "build_arm64.sh takes the CPU part of a CUDA build"
run PIP_INDEX_URL="$url/cuda" FUSEKIT_TORCH_INDEX= scripts/build_arm64.sh arm64-2.13
expect_exit 0
expect_arm64_files "libcudart.so.13 libcupti.so.13 libtorch.so libtorch_cpu.so"
expect "CMake's file asks for no CUDA" cmp -s "$sources/cmake/cpu_part/TorchConfig.cmake" \
  "$arm64_libtorch/share/cmake/Torch/TorchConfig.cmake"

begin_arm64 "build_arm64.sh with Debian's LibTorch asks no index"
run PIP_INDEX_URL="$url/cpu" scripts/build_arm64.sh
expect_exit 0
expect_not_asked cpu
expect_called "cmake --build --preset arm64 "
run scripts/build_arm64.sh arm32
expect_exit 2
expect_says "'arm32' is neither check nor a preset for ARM"

begin "an index with wheels for one Python, which is pip's"
export MACHINE=$real_machine
run PIP_INDEX_URL="$url/this-python" scripts/setup.sh
expect_exit 0
expect_libtorch "this-python $real_machine cpu"

begin "nothing works: the wheels are for another machine, and apt has no libtorch-dev"
export MACHINE=riscv64 APT_HAS=
run PIP_INDEX_URL="$url/this-python" FUSEKIT_TORCH_INDEX= scripts/setup.sh
expect_exit 2
expect_says "pip's index has none"
expect_says "error: no LibTorch: there is no CPU wheel of torch $version for riscv64 in pip's index, and libtorch-dev"
expect_says "hint: set FUSEKIT_TORCH_INDEX"
expect_says "FUSEKIT_LIBTORCH=/path/to/libtorch"
expect_no_libtorch
expect_nothing_half_done
expect_default_preset release

begin "killed while it unpacks"
touch kill
run PIP_INDEX_URL="$url/cpu" scripts/setup.sh
expect_exit 137
expect_no_libtorch
rm kill
run PIP_INDEX_URL="$url/cpu" scripts/setup.sh
expect_exit 0
expect_libtorch "cpu x86_64 cpu"
expect_nothing_half_done

begin "ended while pip waits for an index"
touch silent
timeout 60 "$python" -u -c '
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1])
connection, _ = listener.accept()
print("asked")
while connection.recv(4096):
    pass
print("left")' >silent &
until [ -s silent ]; do sleep 0.05; done
PIP_INDEX_URL=http://127.0.0.1:$(head -n 1 silent) scripts/setup.sh >said 2>&1 </dev/null &
setup=$!
until grep -q asked silent || ! kill -0 "$setup" 2>/dev/null; do sleep 0.05; done
kill "$setup" || true
code=0
wait "$setup" || code=$?
expect_exit 143
expect_no_libtorch
expect_nothing_half_done
for ((i = 0; i < 100; i++)); do
  ! grep -q left silent || break
  sleep 0.05
done
expect "ends pip too" grep -q left silent

begin "FUSEKIT_LIBTORCH names a LibTorch"
mkdir -p mine/share/cmake/Torch mine/lib
touch mine/share/cmake/Torch/TorchConfig.cmake
echo mine >mine/lib/libtorch.so
mkdir .deps
touch .deps/use-debian # as an earlier run left it
run PIP_INDEX_URL="$url/cpu" FUSEKIT_LIBTORCH=mine scripts/setup.sh
expect_exit 0
expect_says "using the LibTorch in $CASE/mine"
expect_libtorch mine
expect_not_asked cpu
expect_default_preset release
run PIP_INDEX_URL="$url/cpu" FUSEKIT_LIBTORCH=mine/lib scripts/setup.sh
expect_exit 2
expect_says "error: FUSEKIT_LIBTORCH=mine/lib holds no LibTorch"
expect_libtorch mine

echo "set-up gets to LibTorch on every way"
