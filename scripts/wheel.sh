# Gets LibTorch out of a wheel of torch: sourced after lib.sh by the scripts that need it. `machine` is the one that it is
# for, as `uname -m` names it.
machine=${machine:-$(uname -m)}
# The C++ part is the same in the wheels for all Pythons: take one, whatever Python pip runs in.
any_python=(--implementation cp --python-version 3.11 --abi cp311 --platform "manylinux_2_28_$machine")

is_libtorch() { [ -f "$1/share/cmake/Torch/TorchConfig.cmake" ]; }

# download REQUIREMENT [PIP_OPTION...]: fetches a wheel of torch for this machine with pip. Sets `found` to
#   cpu      it is a CPU build, and `wheel` is its path;
#   cuda     it is a CUDA build. pip is stopped when it is about to download one, which is more than twice as large;
#   silence  the index does not answer;
#   nothing  there is no such wheel.
download() {
  local output line broken=false
  found=nothing
  exec {output}< <(
    exec 9>&- # a pip that outlives this script does not keep the lock
    TMPDIR=$PWD/$work exec "${pip[@]}" download --no-deps --only-binary=:all: --progress-bar off --retries 2 \
      --dest "$work" "${@:2}" "$1" 2>&1
  )
  pip_process=$!
  while IFS= read -r line <&"$output"; do
    printf '  %s\n' "$line" >&2
    if is_large "$line"; then
      say "that is the size of a CUDA build: not downloading it"
      stop_pip
      found=cuda
    elif [[ $line == *"connection broken by"* ]]; then
      broken=true
    elif [[ $line == *"(from versions: none)"* ]] && $broken; then
      found=silence
    fi
  done
  exec {output}<&-
  pip_process=
  [ "$found" = nothing ] && wheel=$(compgen -G "$work/torch-*_$machine.whl") || return 0
  if is_cpu_build "$wheel"; then
    found=cpu
  else
    found=cuda
    rm "$wheel"
  fi
}

# is_large LINE: true where pip says that it downloads a wheel of torch of more than 400 MB.
is_large() {
  [[ $1 =~ torch-[^/]*\.whl.*\(([0-9]+)(\.[0-9]+)?\ (MB|GB)\) ]] &&
    { [ "${BASH_REMATCH[3]}" = GB ] || [ "${BASH_REMATCH[1]}" -gt 400 ]; }
}

# stop_pip: ends the pip that download has started, if it still runs.
stop_pip() {
  [ -z "$pip_process" ] || kill "$pip_process" 2>/dev/null || true
  pip_process=
}

# is_cpu_build WHEEL: judged by what is in it, because a CUDA build may have the same name.
is_cpu_build() {
  local list
  list=$(unzip -l "$1") && [[ $list != *torch/lib/libtorch_cuda* ]]
}

# ask_index NAME [PIP_OPTION...]: true where this index has the CPU wheel; sets `wheel` to its path.
ask_index() {
  local requirement
  say "asking $1 for the CPU wheel of torch $libtorch_version for $machine"
  for requirement in "torch==$libtorch_version+cpu" "torch==$libtorch_version"; do
    download "$requirement" "${any_python[@]}" "${@:2}"
    [ "$found" = nothing ] || break
  done
  # It may have one for the Python that pip runs in.
  [ "$found" != nothing ] || [ "$machine" != "$(uname -m)" ] || download "$requirement" "${@:2}"
  case $found in
    cuda) say "$1 has a CUDA build only" ;;
    silence) say "$1 does not answer" ;;
    nothing) say "$1 has none" ;;
  esac
  [ "$found" = cpu ]
}

# find_wheel: true where an index has the CPU wheel; sets `wheel` to its path.
find_wheel() {
  find_pip
  ask_index "pip's index" || { [ -n "$torch_index" ] && ask_index "$torch_index" --index-url "$torch_index"; }
}

# begin_unpacking FOLDER: removes what an interrupted run left of it; sets `work` to a folder that this script removes at
# its end.
begin_unpacking() {
  rm -rf .deps/unpacking.* "$1"
  work=$(mktemp -d .deps/unpacking.XXXXXX)
  pip_process=
  trap 'stop_pip; rm -rf "$work"' EXIT
}

# extract WHEEL: the C++ part, into $work/torch.
extract() {
  unzip -q "$1" 'torch/lib/*' 'torch/include/*' 'torch/share/*' "${@:2}" -d "$work" ||
    stop "unzip can't unpack $(basename "$1")"
  is_libtorch "$work/torch" || stop "$(basename "$1") holds no share/cmake/Torch"
}

# unpack WHEEL FOLDER: puts the C++ part in its place in one step, so that an interrupted run leaves nothing half done.
unpack() {
  say "unpacking $(basename "$1") into $2"
  extract "$1"
  mv -T "$work/torch" "$2"
}
