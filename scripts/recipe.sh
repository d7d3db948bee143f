#!/usr/bin/env bash
# PyTorch's "fuse modules recipe" from its first step to its last, with FuseKit: the example, its print before and after,
# fusing, quantizing, files for phones, and the two times. README.md says which step of the recipe is which.
#   scripts/recipe.sh [DIR]                      default: build/recipe; times are taken on this machine
#   scripts/recipe.sh DIR --tool PATH [...]      on a phone over adb: options of scripts/bench_android.sh
here=$PWD
source "$(dirname "$0")/lib.sh"
fusekit=$PWD/build/$(default_preset)/fusekit
[ -x "$fusekit" ] || scripts/build.sh "" fusekit >&2
bench_android=$PWD/scripts/bench_android.sh
folder=$PWD/build/recipe
cd "$here"
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
  folder=$1
  shift
fi
mkdir -p "$folder"
rm -f "$folder"/*.pt "$folder"/*.ptl

show() {
  printf '\n$ %s\n' "$*"
  "$@"
}

dims=1,3,224,224
# 1 and 2: the network, printed, fused and printed again.
show "$fusekit" example -o "$folder"
# 3: quantized for the engine qnnpack without and with fusing, as files for the mobile interpreter.
for name in model model_fused; do
  fusing=()
  [ "$name" = model_fused ] || fusing=(--no-fuse)
  show "$fusekit" quantize "$folder/model_float.pt" -o "$folder/$name.ptl" --for mobile --lite --qconfig qnnpack \
    --random-calibration 16 --input_dims "$dims" "${fusing[@]}"
done
# 4: both timed.
if [ $# -gt 0 ]; then
  show "$bench_android" "$folder/model.ptl" "$folder/model_fused.ptl" --input_dims "$dims" "$@"
else
  for name in model model_fused; do
    show "$fusekit" bench --model "$folder/$name.ptl" --input_dims "$dims" --input_type float --engine qnnpack \
      --threads 1 --warmup 10 --iter 100
  done
  show "$fusekit" bench "$folder/model.ptl" "$folder/model_fused.ptl" --input_dims "$dims" --engine qnnpack --threads 1
fi
