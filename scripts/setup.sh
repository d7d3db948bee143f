#!/usr/bin/env bash
# Installs what building needs: scripts/setup.sh [preset]. Quick when everything is there.
#   Packages come from apt. LibTorch comes into .deps/, from the first of these that has it:
#   - FUSEKIT_LIBTORCH=/path/to/libtorch, a folder with lib, include and share;
#   - pip's own index, as the CPU wheel of torch;
#   - FUSEKIT_TORCH_INDEX, the address of another index for pip (default: see lib.sh; empty: no other is asked).
#   Where none has it and no preset was asked for, libtorch-dev is installed from apt, and from then on the scripts build
#   the preset debian where they are given none. `scripts/setup.sh release` tries the other ways again.
source "$(dirname "$0")/lib.sh"
preset=${1:-}
machine=$(uname -m)

packages=(g++ cmake ninja-build ccache pkg-config libcli11-dev libfmt-dev libgtest-dev nlohmann-json3-dev libzip-dev libseccomp-dev
  libboost-dev libjpeg-dev libpng-dev unzip)
debian_libtorch=(libtorch-dev libopenblas0-pthread)
[ "$preset" = debian ] && packages+=("${debian_libtorch[@]}")
need_packages "${packages[@]}"

# link_libtorch FOLDER: uses a LibTorch that the user has.
link_libtorch() {
  local folder
  folder=$(cd "$1" 2>/dev/null && pwd) || stop "FUSEKIT_LIBTORCH=$1 is no folder"
  is_libtorch "$folder" || stop "FUSEKIT_LIBTORCH=$1 holds no LibTorch: $folder/share/cmake/Torch is missing" \
    "give the folder that holds lib, include and share"
  if [ "$(readlink -f "$libtorch_folder")" != "$(readlink -f "$folder")" ]; then
    [ ! -d "$libtorch_folder" ] || [ -L "$libtorch_folder" ] || rm -r "$libtorch_folder"
    ln -sfn "$folder" "$libtorch_folder"
    say "using the LibTorch in $folder"
  fi
}

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
  # The C++ part is the same in the wheels for all Pythons: take one, whatever Python pip runs in.
  local any_python=(--implementation cp --python-version 3.11 --abi cp311 --platform "manylinux_2_28_$machine")
  say "asking $1 for the CPU wheel of torch $libtorch_version for $machine"
  for requirement in "torch==$libtorch_version+cpu" "torch==$libtorch_version"; do
    download "$requirement" "${any_python[@]}" "${@:2}"
    [ "$found" = nothing ] || break
  done
  [ "$found" != nothing ] || download "$requirement" "${@:2}" # it may have one for the Python that pip runs in
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

# unpack WHEEL: puts the C++ part in its place in one step, so that an interrupted run leaves nothing half done.
unpack() {
  say "unpacking $(basename "$1") into $libtorch_folder"
  unzip -q "$1" 'torch/lib/*' 'torch/include/*' 'torch/share/*' -d "$work" || stop "unzip can't unpack $(basename "$1")"
  is_libtorch "$work/torch" || stop "$(basename "$1") holds no share/cmake/Torch"
  mv -T "$work/torch" "$libtorch_folder"
}

# use_debian: takes the LibTorch of Debian or Ubuntu, now and in later runs.
use_debian() {
  say "using libtorch-dev of Debian or Ubuntu, with the preset debian ('scripts/setup.sh release' tries the wheel again)"
  { command -v dpkg-query >/dev/null && try_packages "${debian_libtorch[@]}"; } ||
    stop "no LibTorch: there is $no_wheel, and libtorch-dev can't be installed" "${ways[@]}"
  touch "$debian_mark"
}

no_wheel="no CPU wheel of torch $libtorch_version for $machine in pip's index${torch_index:+ or $torch_index}"
ways=("set FUSEKIT_TORCH_INDEX to the address of an index that has the wheel and run this again,"
  "or give a LibTorch that is unpacked already: FUSEKIT_LIBTORCH=/path/to/libtorch $0")

[ "$preset" = debian ] && exit 0
mkdir -p .deps
if [ -n "${FUSEKIT_LIBTORCH:-}" ]; then
  link_libtorch "$FUSEKIT_LIBTORCH"
elif ! is_libtorch "$libtorch_folder"; then
  exec 9>.deps/lock
  flock 9 # two set-ups at once: the second waits, then finds everything there
  if is_libtorch "$libtorch_folder"; then
    : # the other one's
  elif [ "${preset:-$(default_preset)}" = debian ]; then
    use_debian
  else
    rm -rf .deps/unpacking.* "$libtorch_folder" # what an interrupted run left
    work=$(mktemp -d .deps/unpacking.XXXXXX)
    pip_process=
    trap 'stop_pip; rm -rf "$work"' EXIT
    if find_wheel; then
      unpack "$wheel"
    elif [ -z "$preset" ]; then
      say "there is $no_wheel"
      use_debian
    else
      stop "$no_wheel, which the preset $preset needs" "${ways[@]}" \
        "or give no preset: libtorch-dev of Debian or Ubuntu is then used, with the preset debian"
    fi
  fi
fi
if is_libtorch "$libtorch_folder"; then rm -f "$debian_mark"; fi
