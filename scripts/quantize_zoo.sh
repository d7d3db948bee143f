#!/usr/bin/env bash
# What int8 costs the zoo's networks (random weights): PyTorch FX, ONNX Runtime and FuseKit on the same photographs, one
# table (quantize_zoo.py says what is in the work folder).
#   scripts/quantize_zoo.sh [-o DIR] [--zoo DIR] [NAME...], work folder .quantize and zoo .zoo by default, which
#   scripts/make_zoo.sh makes. FUSEKIT and FUSEKIT_PEERS_PYTHON are as in scripts/quantize_photos.sh.
# The other tools' results are kept, so that a second run only takes FuseKit's time.
source "$(dirname "$0")/lib.sh"
source scripts/peers/setup.sh
work=.quantize
zoo=.zoo
names=()
while [ $# -gt 0 ]; do
  case $1 in
    -o | --output | --zoo)
      [ $# -gt 1 ] || stop "$1 needs a folder"
      [ "$1" = --zoo ] && zoo=$2 || work=$2
      shift
      ;;
    -*) stop "unknown option $1" "scripts/quantize_zoo.sh [-o DIR] [--zoo DIR] [NAME...]" ;;
    *) names+=("$1") ;;
  esac
  shift
done
[ ${#names[@]} -gt 0 ] || names=(resnet18 resnet50 mobilenet_v2 mobilenet_v3_large googlenet inception_v3
  shufflenet_v2_x1_0 squeezenet1_1 mnasnet1_0 efficientnet_b0 regnet_y_400mf densenet121)
mkdir -p "$work"
find_program
scripts/make_zoo.sh -o "$zoo" "${names[@]}" >&2
find_python_with_peers "$work"
options=()
[ -z "$program" ] || options+=(--program "$program")
"$python" scripts/quantize_zoo.py --work "$work" --zoo "$zoo" "${options[@]}" "${names[@]}"
