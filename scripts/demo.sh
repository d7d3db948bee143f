#!/usr/bin/env bash
# The main job, on a fresh machine: sets up, builds, makes the recipe's example (its quantized files too, and compares
# them), ResNet-18 and MobileNetV2, fuses and quantizes them, verifies the written files, and times each against its
# original, interleaved. Their weights are random, and so is what int8 is calibrated on; real networks want --calibrate.
#   scripts/demo.sh [preset] [seconds a comparison], default as scripts/build.sh and 20. The files stay in build/demo/.
source "$(dirname "$0")/lib.sh"
seconds=${2:-20}
scripts/build.sh "${1:-}" fusekit >&2
fusekit=build/${1:-$(default_preset)}/fusekit
folder=build/demo
mkdir -p "$folder"

# Prints a command as a user would type it, then runs it.
show() {
  printf '\n$ %s\n' "$*"
  "$@"
}

show "$fusekit" doctor || true # it reports; a warning there must not end the demonstration
for model in conv_bn_relu resnet18 mobilenet_v2; do
  rm -rf "${folder:?}/$model"
  if [ "$model" = conv_bn_relu ]; then
    show "$fusekit" example --model "$model" -o "$folder/$model" --bench "$seconds"
  else # it prints two long trees
    mkdir "$folder/$model"
    printf '\n$ %s\n' "$fusekit example --model $model -o $folder/$model > $folder/$model/trees.txt"
    "$fusekit" example --model "$model" -o "$folder/$model" >"$folder/$model/trees.txt"
  fi
  original=$folder/$model/model_float.pt
  fused=$folder/$model/fused.pt
  show "$fusekit" fuse "$original" -o "$fused" --input-dims 1,3,224,224
  show "$fusekit" verify "$original" "$fused" --input-dims 1,3,224,224
  files=("$original" "$fused")
  if [ "$model" != conv_bn_relu ]; then
    cpu=$folder/$model/cpu.pt
    if show "$fusekit" fuse "$original" -o "$cpu" --for cpu --input-dims 1,3,224,224; then # LibTorch 1.13 can't
      files+=("$cpu")
    fi
    int8=$folder/$model/int8.pt
    show "$fusekit" quantize "$original" -o "$int8" --random-calibration 16 --input-dims 1,3,224,224
    show "$fusekit" verify "$original" "$int8" --input-dims 1,3,224,224
    files+=("$int8")
  fi
  show "$fusekit" bench "${files[@]}" --input-dims 1,3,224,224 --threads 1 --max-time "$seconds"
done
printf '\nThe files are in %s.\n' "$folder"
