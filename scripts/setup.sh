#!/usr/bin/env bash
# Installs what building needs: scripts/setup.sh [preset], default release. Quick when everything is there.
#   Packages come from apt. LibTorch comes as the CPU wheel of torch, fetched by pip and unpacked into .deps/, or from
#   FUSEKIT_LIBTORCH=/path/to/libtorch (a folder with lib, include and share), or, for the preset debian, from apt.
source "$(dirname "$0")/lib.sh"
preset=${1:-release}

packages=(g++ cmake ninja-build ccache pkg-config libcli11-dev libfmt-dev libgtest-dev nlohmann-json3-dev libzip-dev
  libboost-dev libjpeg-dev libpng-dev unzip)
[ "$preset" = debian ] && packages+=(libtorch-dev libopenblas0-pthread)
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

# download REQUIREMENT [PIP_OPTION...]: fetches a wheel into $work. It stops pip where that is about to download a CUDA
# build, which is more than twice as large as a CPU build; it then returns 2.
download() {
  local line
  while IFS= read -r line; do
    printf '  %s\n' "$line" >&2
    if [[ $line =~ torch-[^/]*\.whl.*\(([0-9]+)(\.[0-9]+)?\ (MB|GB)\) ]]; then
      if [ "${BASH_REMATCH[3]}" = GB ] || [ "${BASH_REMATCH[1]}" -gt 400 ]; then
        say "that is the size of a CUDA build: not downloading it"
        kill "$(cat "$work/pip.pid")"
        return 2
      fi
    fi
  done < <(
    "${pip[@]}" download --no-deps --only-binary=:all: --progress-bar off --dest "$work" "${@:2}" "$1" 2>&1 &
    echo $! >"$work/pip.pid"
    wait $!
  )
  compgen -G "$work/torch-*.whl" >/dev/null
}

is_cpu_build() { ! unzip -l "$1" | grep -q 'torch/lib/libtorch_cuda'; }

# unpack WHEEL: puts the C++ part in its place in one step, so that an interrupted run leaves nothing half done.
unpack() {
  say "unpacking $(basename "$1") into $libtorch_folder"
  unzip -q "$1" 'torch/lib/*' 'torch/include/*' 'torch/share/*' -d "$work"
  is_libtorch "$work/torch" || stop "$(basename "$1") holds no share/cmake/Torch"
  mv -T "$work/torch" "$libtorch_folder"
}

fetch_libtorch() {
  local requirement wheel
  # The C++ part is the same in the wheels for all Pythons: take one, whatever Python pip runs in.
  local any_python=(--implementation cp --python-version 3.11 --abi cp311 --platform "manylinux_2_28_$(uname -m)")
  find_pip
  for requirement in "torch==$libtorch_version+cpu" "torch==$libtorch_version"; do
    say "fetching $requirement with pip"
    download "$requirement" "${any_python[@]}" || { [ $? -ne 2 ] && download "$requirement"; } || continue
    wheel=$(echo "$work"/torch-*.whl)
    if is_cpu_build "$wheel"; then
      unpack "$wheel"
      return
    fi
    say "$(basename "$wheel") is a CUDA build"
    rm "$wheel"
  done
  stop "pip's package index has no CPU build of torch $libtorch_version" \
    "set PIP_EXTRA_INDEX_URL to the address of PyTorch's index of CPU wheels and run this again," \
    "or give a LibTorch that is unpacked already: FUSEKIT_LIBTORCH=/path/to/libtorch $0," \
    "or build with Debian's own LibTorch: scripts/test.sh debian"
}

[ "$preset" = debian ] && exit 0
mkdir -p .deps
if [ -n "${FUSEKIT_LIBTORCH:-}" ]; then
  link_libtorch "$FUSEKIT_LIBTORCH"
elif ! is_libtorch "$libtorch_folder"; then
  exec 9>.deps/lock
  flock 9 # two set-ups at once: the second waits, then finds everything there
  if ! is_libtorch "$libtorch_folder"; then
    rm -rf .deps/unpacking.* "$libtorch_folder" # what an interrupted run left
    work=$(mktemp -d .deps/unpacking.XXXXXX)
    trap 'rm -rf "$work"' EXIT
    fetch_libtorch
  fi
fi
