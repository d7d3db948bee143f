# Shared by the scripts in this folder, which source it. It moves to the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

libtorch_version=2.13.0
libtorch_folder=.deps/libtorch-$libtorch_version
# Asked where pip's own index has no CPU wheel of torch: the index that PyTorch's installation page names for these.
torch_index=${FUSEKIT_TORCH_INDEX-https://download.pytorch.org/whl/cpu}
debian_mark=.deps/use-debian # is there where set-up could not get the wheel and took the distribution's LibTorch

# default_preset: the preset where a script is given none. Before set-up has run, this is release.
default_preset() { if [ -e "$debian_mark" ]; then echo debian; else echo release; fi; }

say() { printf '%s\n' "== $*" >&2; }

# stop MESSAGE [HINT...]: ends the script with exit code 2.
stop() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf 'hint: %s\n' "$@" >&2
  exit 2
}

# Runs a command as root: itself where the user is root, otherwise through sudo, which asks only on a terminal.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif ! command -v sudo >/dev/null; then
    stop "'$*' needs root, and there is no sudo" "run it as root, then run this script again"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

# need_packages NAME...: installs what is missing of Debian's or Ubuntu's packages. Takes no time when all are there.
need_packages() {
  try_packages "$@" || stop "apt-get could not install ${missing[*]}" "see apt-get's message above"
}

# try_packages NAME...: the same, but false where apt-get can't install them; `missing` are those that were missing.
try_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian or Ubuntu: taking it that these packages' contents are installed: $*"
    return
  fi
  local package installed
  missing=()
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null) || true
  for package in "$@"; do
    [[ $'\n'$installed$'\n' == *$'\n'"$package installed"$'\n'* ]] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  as_root apt-get update -qq || say "apt-get update failed; trying with the package lists that are here"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# The memory that is free for programs in KiB; less where the container that this runs in has a limit.
free_kib() {
  local free limit used
  free=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) || limit=max
  used=$(awk '$1 == "anon" { print $2 }' /sys/fs/cgroup/memory.stat 2>/dev/null) || used=0 # the rest is cache
  if [[ $limit =~ ^[0-9]+$ ]]; then
    limit=$(((limit - ${used:-0}) / 1024))
    [ "$limit" -ge "$free" ] || free=$limit
  fi
  echo "$free"
}

# The processors that this may use; fewer than `nproc` says where the container that this runs in has a quota.
processors() {
  local count quota=max period=100000
  count=$(nproc)
  read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max || true
  if [[ $quota =~ ^[0-9]+$ ]]; then
    quota=$(((quota + period - 1) / period))
    [ "$quota" -ge "$count" ] || count=$quota
  fi
  echo "$count"
}

# jobs_of KIB: how many processes that each need so much memory may run at a time.
jobs_of() {
  local by_memory count
  by_memory=$(($(free_kib) / $1))
  count=$(processors)
  [ "$by_memory" -ge "$count" ] || count=$by_memory
  [ "$count" -ge 1 ] || count=1
  echo "$count"
}

# find_pip: sets the array `pip` to a command that runs pip.
find_pip() {
  local python
  for python in python3 /usr/bin/python3; do
    # its own path: the name may be that of a wrapper, and a signal would end the wrapper alone
    if python=$("$python" -c 'import pip, sys; print(sys.executable)' 2>/dev/null); then
      pip=("$python" -m pip)
      return
    fi
  done
  need_packages python3-pip
  pip=(/usr/bin/python3 -m pip)
}

# find_python_with_torch: sets `python` to FUSEKIT_PYTHON, or to Debian's with its torch and torchvision.
find_python_with_torch() {
  python=${FUSEKIT_PYTHON:-/usr/bin/python3}
  [ -n "${FUSEKIT_PYTHON:-}" ] || need_packages python3-torch python3-torchvision
}
