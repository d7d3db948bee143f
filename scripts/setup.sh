#!/usr/bin/env bash
# Installs what building needs: scripts/setup.sh [preset]. Quick when everything is there.
#   Packages come from apt. LibTorch comes into .deps/, from the first of these that has it:
#   - FUSEKIT_LIBTORCH=/path/to/libtorch, a folder with lib, include and share;
#   - pip's own index, as the CPU wheel of torch;
#   - FUSEKIT_TORCH_INDEX, the address of another index for pip (default: see lib.sh; empty: no other is asked).
#   Where none has it and no preset was asked for, libtorch-dev is installed from apt, and from then on the scripts build
#   the preset debian where they are given none. `scripts/setup.sh release` tries the other ways again.
source "$(dirname "$0")/lib.sh"
source scripts/wheel.sh
preset=${1:-}

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
    begin_unpacking "$libtorch_folder"
    if find_wheel; then
      unpack "$wheel" "$libtorch_folder"
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
