# Sourced by quantize_photos.sh and quantize_zoo.sh, after lib.sh.

# find_python_with_peers WORK: sets `python` to FUSEKIT_PEERS_PYTHON, or to that of WORK/venv, which it makes and fills with
# torch's CPU build and the other tools (1.3 GB).
find_python_with_peers() {
  local venv=$1/venv modules="torch, torchvision, onnx, onnxruntime, nncf, sklearn, skimage"
  local versions=(torchvision==0.28.0 onnx==1.23.2 onnxruntime==1.32.0 nncf==3.4.0 scikit-learn==1.9.1
    scikit-image==0.26.0 pillow==13.0.0)
  if [ -n "${FUSEKIT_PEERS_PYTHON:-}" ]; then
    python=$FUSEKIT_PEERS_PYTHON
    has_peers || stop "FUSEKIT_PEERS_PYTHON=$python lacks one of $modules" \
      "$python -m pip install ${versions[*]}, or unset it: a virtual environment is then made in $1"
    return
  fi
  python=$venv/bin/python
  [ -x "$python" ] && has_peers && return
  need_packages python3-venv
  say "making $venv"
  python3 -m venv --clear "$venv"
  "$python" -m pip install --quiet "torch==$libtorch_version+cpu" >&2 ||
    stop "pip's package index has no CPU build of torch $libtorch_version" \
      "set PIP_EXTRA_INDEX_URL to the address of PyTorch's index of CPU wheels and run this again," \
      "or name a Python that has $modules: FUSEKIT_PEERS_PYTHON=/path/to/python $0"
  # torchvision comes without what it asks for: that would be another build of torch
  "$python" -m pip install --quiet --no-deps "${versions[0]}" >&2 &&
    "$python" -m pip install --quiet "${versions[@]:1}" >&2 || stop "pip can't install ${versions[*]}"
  has_peers || stop "$venv lacks one of $modules, although pip installed them" "remove $venv and run this again"
}

has_peers() {
  "$python" -W ignore -c '
import importlib.util as u, sys
sys.exit(not all(u.find_spec(m) for m in "torch torchvision onnx onnxruntime nncf sklearn skimage".split()))' 2>/dev/null
}

# find_program: sets `program` to the fusekit whose rows go into the table: FUSEKIT, or build/release/fusekit, which is
# built first; to nothing where FUSEKIT is empty, or where the program can't quantize.
find_program() {
  program=${FUSEKIT-build/release/fusekit}
  [ -n "${FUSEKIT+set}" ] || scripts/build.sh release fusekit >&2
  if [ -n "$program" ] && ! "$program" quantize --help >/dev/null 2>&1; then
    say "$program has no command quantize: the table is that of the other tools"
    program=
  fi
}
