#!/usr/bin/env bash
# FuseKit for 64-bit ARM, built here and run under qemu-user: scripts/build_arm64.sh [check] [preset]
#   Presets: arm64 (Debian's LibTorch 1.13.1) and arm64-2.13 (LibTorch 2.13.0 of PyTorch's aarch64 wheel).
#   Debian's arm64 packages (its LibTorch and what else is linked) are unpacked into .deps/arm64-root, the wheel into
#   .deps/arm64-libtorch-2.13.0, so that this machine's own packages stay as they are; the compiler is Debian's cross
#   compiler. The program is build/<preset>/fusekit:
#     qemu-aarch64-static -L .deps/arm64-root build/arm64/fusekit --help
#   check: builds the tests, too, runs those of the rooms that compute (tests/arm64/tests.txt), and makes, fuses, quantizes,
#   verifies and times the example. Some 20 times as slow as on ARM itself.
source "$(dirname "$0")/lib.sh"
machine=aarch64
source scripts/wheel.sh
check=false
preset=arm64
for word in "$@"; do
  case $word in
    check) check=true ;;
    arm64 | arm64-2.13) preset=$word ;;
    *) stop "'$word' is neither check nor a preset for ARM" "scripts/build_arm64.sh [check] [arm64|arm64-2.13]" ;;
  esac
done
need_packages g++-aarch64-linux-gnu qemu-user-static mmdebstrap cmake ninja-build ccache pkg-config unzip
root=.deps/arm64-root
release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}")

if [ ! -e "$root/usr/include/seccomp.h" ]; then  # the last that was added to the list
  say "unpacking $release's arm64 packages into $root"
  rm -rf "$root" "$root.new"
  mkdir -p .deps
  # The mirror that this machine's own packages come from.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | head -n 1)
  mmdebstrap --variant=extract --arch=arm64 --mode=auto \
    --include=libtorch-dev,libopenblas0-pthread,libzip-dev,libseccomp-dev,libjpeg-dev,libpng-dev,libboost-dev,libfmt-dev,libcli11-dev,nlohmann-json3-dev,libgtest-dev,libstdc++-12-dev,libc6-dev,libgomp1 \
    "$release" "$root.new" ${mirror:+"$mirror"} >&2 || stop "the arm64 packages could not be unpacked"
  # Alternatives are set by scripts that do not run here.
  for library in libblas.so.3 liblapack.so.3 libopenblas.so.0; do
    ln -sf "openblas-pthread/$library" "$root.new/usr/lib/aarch64-linux-gnu/$library"
  done
  # Links that begin at / lead out of the root.
  find "$root.new" -xtype l -lname '/*' 2>/dev/null | while read -r link; do
    target=$(readlink "$link")
    [ ! -e "$root.new$target" ] || ln -sfn "$(realpath -s --relative-to="$(dirname "$link")" "$root.new$target")" "$link"
  done
  mv "$root.new" "$root"
fi

# unpack_cpu_part FOLDER: what of a CUDA build runs without CUDA, and the two of CUDA's libraries that it is linked with.
unpack_cpu_part() {
  local toolkit minor platforms=() library
  say "taking the CPU part of the CUDA build"
  "${pip[@]}" download --no-deps --only-binary=:all: --progress-bar off --dest "$work" "${any_python[@]}" \
    "torch==$libtorch_version" >&2 || stop "no wheel of torch $libtorch_version for $machine"
  wheel=$(compgen -G "$work/torch-*_$machine.whl")
  toolkit=$(unzip -p "$wheel" '*.dist-info/METADATA' | sed -n 's/^Requires-Dist: cuda-toolkit[^=]*==\([0-9.]*\).*/\1/p')
  for minor in {17..28}; do platforms+=(--platform "manylinux_2_${minor}_$machine"); done
  "${pip[@]}" download --only-binary=:all: --progress-bar off --dest "$work" --implementation cp --python-version 3.11 \
    --abi cp311 --abi none "${platforms[@]}" "cuda-toolkit[cudart,cupti]==$toolkit" >&2 ||
    stop "the wheels with libcudart and libcupti could not be downloaded"
  extract "$wheel" -x 'torch/lib/*cuda*' 'torch/lib/*nvrtc*' 'torch/lib/*nvshmem*' 'torch/lib/libtorch_python*'
  for library in cudart cupti; do
    unzip -q -j "$work/nvidia_cuda_"*"${library/cudart/runtime}-"*.whl "*/lib/lib$library.so.*" -d "$work/torch/lib"
  done
  cp cmake/cpu_part/TorchConfig.cmake "$work/torch/share/cmake/Torch/"
  mv -T "$work/torch" "$1"
}

libtorch=.deps/arm64-libtorch-$libtorch_version
if [ "$preset" = arm64-2.13 ] && ! is_libtorch "$libtorch"; then
  ( # its work folder goes with it
    exec 9>.deps/lock
    flock 9
    begin_unpacking "$libtorch"
    if find_wheel; then unpack "$wheel" "$libtorch"; else unpack_cpu_part "$libtorch"; fi
  )
fi

build=build/$preset
if [ ! -f "$build/build.ninja" ] || [ CMakePresets.json -nt "$build/build.ninja" ]; then
  cmake --preset "$preset" -D FUSEKIT_UNITY=ON >&2
fi
targets=(fusekit)
! $check || targets+=(fusekit_tests)
cmake --build --preset "$preset" --parallel "$(jobs_of 1600000)" --target "${targets[@]}" >&2
$check || exit 0

# What LibTorch 2 reads of the processor when it is loaded (cpuinfo and oneDNN end in a segmentation fault without): qemu-user
# looks for a file in its root first. The features that are used are those of the processor that QEMU_CPU names.
cpus=$root/sys/devices/system/cpu
mkdir -p "$root/proc"
for ((i = 0; i < $(nproc --all); i++)); do
  mkdir -p "$cpus/cpu$i/regs/identification"
  echo 0x00000000413fd0c1 >"$cpus/cpu$i/regs/identification/midr_el1" # Neoverse N1
  cat <<END
processor: $i
Features: fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc asimddp
CPU implementer: 0x41
CPU architecture: 8
CPU variant: 0x3
CPU part: 0xd0c
CPU revision: 1

END
done >"$root/proc/cpuinfo"

arm64() { QEMU_LD_PREFIX=$PWD/$root OMP_NUM_THREADS=1 qemu-aarch64-static -L "$root" "$@"; }
# The names of the test suites of a room.
suites_of() { grep -ohE '^TEST(_F|_P)?\(\w+' "tests/$1"/*_test.cpp | sed 's/.*(//' | sort -u; }

wanted= unwanted=
while read -r word only_preset; do
  case $word in
    '#'*) ;;
    -*) [ "${only_preset:-$preset}" != "$preset" ] || unwanted+=:${word#-} ;;
    *) for suite in $(suites_of "$word"); do wanted+=:$suite.*:*/$suite.*:*/$suite/*; done ;;
  esac
done <tests/arm64/tests.txt
filter=${wanted#:}-${unwanted#:}
say "running the tests of tests/arm64/tests.txt"
arm64 "$build/tests/fusekit_tests" --gtest_brief=1 --gtest_filter="$filter"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FUSEKIT_NO_SUPERVISOR=1 # one process fewer to emulate
say "example, fuse, quantize, verify and bench"
arm64 "$build/fusekit" example --model conv_bn_relu -o "$work" --bench 0 >"$work/trees.txt"
model=$work/model_float.pt
arm64 "$build/fusekit" fuse "$model" -o "$work/fused.pt" --input_dims 1,3,32,32
arm64 "$build/fusekit" verify "$model" "$work/fused.pt" --input_dims 1,3,32,32
arm64 "$build/fusekit" quantize "$model" -o "$work/int8.pt" --random-calibration 4 --input_dims 1,3,32,32
arm64 "$build/fusekit" verify "$model" "$work/int8.pt" --input_dims 1,3,32,32
arm64 "$build/fusekit" fuse "$model" -o "$work/fused.ptl" --for mobile --lite --input_dims 1,3,32,32
arm64 "$build/fusekit" bench --model "$work/fused.pt" --input_dims 1,3,32,32 --iter 5
