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
  local torch="torch==$libtorch_version+cpu"
  "$python" -m pip install --quiet "$torch" >&2 ||
    { [ -n "$torch_index" ] && "$python" -m pip install --quiet --extra-index-url "$torch_index" "$torch" >&2; } ||
    stop "no CPU wheel of torch $libtorch_version in pip's index${torch_index:+ or $torch_index}" \
      "set FUSEKIT_TORCH_INDEX to the address of an index that has it and run this again," \
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

# find_program: sets `program` to the fusekit whose rows go into the table: FUSEKIT, or what scripts/build.sh leaves,
# which is called first; to nothing where FUSEKIT is empty, or where the program can't quantize.
find_program() {
  [ -n "${FUSEKIT+set}" ] || scripts/build.sh "" fusekit >&2
  program=${FUSEKIT-build/$(default_preset)/fusekit}
  if [ -n "$program" ] && ! "$program" quantize --help >/dev/null 2>&1; then
    say "$program has no command quantize: the table is that of the other tools"
    program=
  fi
}
