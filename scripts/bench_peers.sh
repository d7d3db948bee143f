#!/usr/bin/env bash
# FuseKit's files beside what else runs the same networks on this CPU: stock LibTorch, AOTInductor, the oneDNN Graph fuser,
# ONNX Runtime and OpenVINO. One Markdown table (bench_peers.py says how it is measured, and has the options).
#   scripts/bench_peers.sh [-o DIR] [--zoo DIR] [--threads 1,2] [--tools NAME,...] [NAME...]
#   Work folder .quantize (its virtual environment is shared with scripts/quantize_zoo.sh) and zoo .zoo by default.
#   FUSEKIT and FUSEKIT_PEERS_PYTHON are as in scripts/quantize_photos.sh. A network takes 1 to 4 minutes for each number of
#   threads, most of it AOTInductor's compilation, which needs g++ and python3-dev.
source "$(dirname "$0")/lib.sh"
source scripts/peers/setup.sh
work=.quantize
zoo=.zoo
options=()
names=()
while [ $# -gt 0 ]; do
  case $1 in
    -o | --output | --zoo | --threads | --tools | --rounds)
      [ $# -gt 1 ] || stop "$1 needs a value"
      case $1 in
        --zoo) zoo=$2 ;;
        -o | --output) work=$2 ;;
        *) options+=("$1" "$2") ;;
      esac
      shift
      ;;
    -*) stop "unknown option $1" "scripts/bench_peers.sh [-o DIR] [--zoo DIR] [--threads 1,2] [--tools NAME,...] [NAME...]" ;;
    *) names+=("$1") ;;
  esac
  shift
done
[ ${#names[@]} -gt 0 ] || names=(resnet18 resnet50 mobilenet_v2 mobilenet_v3_large densenet121 efficientnet_b0
  regnet_y_400mf googlenet squeezenet1_1 shufflenet_v2_x1_0)
mkdir -p "$work"
find_program
[ -n "$program" ] || stop "there is no fusekit to compare" "scripts/build.sh"
scripts/make_zoo.sh -o "$zoo" "${names[@]}" >&2
find_python_with_peers "$work"
"$python" -c 'import openvino' 2>/dev/null || "$python" -m pip install --quiet openvino >&2 ||
  say "pip can't install openvino: its columns stay empty"
"$python" scripts/bench_peers.py --work "$work" --zoo "$zoo" --program "$program" "${options[@]}" "${names[@]}"
