#!/usr/bin/env bash
# FuseKit for 64-bit ARM, built here and run under qemu-user: scripts/build_arm64.sh [check]
#   Debian's arm64 packages (LibTorch 1.13.1 and what else is linked) are unpacked into .deps/arm64-root, so that this
#   machine's own packages stay as they are; the compiler is Debian's cross compiler. The program is build/arm64/fusekit:
#     qemu-aarch64-static -L .deps/arm64-root build/arm64/fusekit --help
#   check: builds the tests, too, runs those of the rooms that compute (tests/arm64/tests.txt), and makes, fuses, quantizes,
#   verifies and times the example. Some 20 times as slow as on ARM itself.
source "$(dirname "$0")/lib.sh"
need_packages g++-aarch64-linux-gnu qemu-user-static mmdebstrap cmake ninja-build ccache pkg-config
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

if [ ! -f build/arm64/build.ninja ] || [ CMakePresets.json -nt build/arm64/build.ninja ]; then
  cmake --preset arm64 -D FUSEKIT_UNITY=ON >&2
fi
targets=(fusekit)
[ "${1:-}" != check ] || targets+=(fusekit_tests)
cmake --build --preset arm64 --parallel "$(jobs_of 1600000)" --target "${targets[@]}" >&2
[ "${1:-}" = check ] || exit 0

arm64() { QEMU_LD_PREFIX=$PWD/$root OMP_NUM_THREADS=1 qemu-aarch64-static -L "$root" "$@"; }
filter=$(grep -v '^[#-]' tests/arm64/tests.txt | paste -sd:)-$(sed -n 's/^-//p' tests/arm64/tests.txt | paste -sd:)
say "running the tests of tests/arm64/tests.txt"
arm64 build/arm64/tests/fusekit_tests --gtest_brief=1 --gtest_filter="$filter"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FUSEKIT_NO_SUPERVISOR=1 # one process fewer to emulate
say "example, fuse, quantize, verify and bench"
arm64 build/arm64/fusekit example --model conv_bn_relu -o "$work" --bench 0 >"$work/trees.txt"
model=$work/model_float.pt
arm64 build/arm64/fusekit fuse "$model" -o "$work/fused.pt" --input_dims 1,3,32,32
arm64 build/arm64/fusekit verify "$model" "$work/fused.pt" --input_dims 1,3,32,32
arm64 build/arm64/fusekit quantize "$model" -o "$work/int8.pt" --random-calibration 4 --input_dims 1,3,32,32
arm64 build/arm64/fusekit verify "$model" "$work/int8.pt" --input_dims 1,3,32,32
arm64 build/arm64/fusekit fuse "$model" -o "$work/fused.ptl" --for mobile --lite --input_dims 1,3,32,32
arm64 build/arm64/fusekit bench --model "$work/fused.pt" --input_dims 1,3,32,32 --iter 5
