#!/usr/bin/env bash
# Fuzzes what FuseKit reads of a file before LibTorch does, with libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer:
#   scripts/fuzz.sh [archive] [pickle] [code] [--seconds N], default all three, 60 s each, side by side.
# What is found is a file build/fuzz/TARGET-crash-...; exit 1 then. It begins with the tests' own files, and keeps what it
# came to in build/fuzz/TARGET/ for the next time. build/fuzz/TARGET.run FILE runs one input.
source "$(dirname "$0")/lib.sh"
seconds=60 targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:-} && shift ;;
    archive | pickle | code) targets+=("$1") ;;
    *) stop "unknown argument $1" "scripts/fuzz.sh [archive] [pickle] [code] [--seconds N]" ;;
  esac
  shift
done
[[ $seconds =~ ^[0-9]+$ ]] || stop "--seconds '$seconds' is no number"
[ ${#targets[@]} -gt 0 ] || targets=(archive pickle code)
need_packages libzip-dev libfmt-dev zlib1g-dev
clang=$(compgen -c clang++ | grep -E '^clang\+\+(-[0-9]+)?$' | head -1) || true
[ -n "$clang" ] || { need_packages clang libclang-rt-dev && clang=clang++; }
[ -d "$libtorch_folder/include" ] || scripts/setup.sh

build=build/fuzz
mkdir -p "$build"
flags=(-std=c++20 -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -D FMT_HEADER_ONLY
  -include tests/fuzz/prelude.h -I src -I include -I tests -isystem "$libtorch_folder/include")

# Compiles build/fuzz/NAME.o of a source where it is older.
compile() {
  [ ! -f "$2" ] || [ "$1" -nt "$2" ] || [ -n "$(find src/file/*.h tests/fuzz/*.h -newer "$2" -print -quit)" ] || return 0
  say "compiling $1"
  "$clang" "${flags[@]}" -fsanitize=fuzzer-no-link -c "$1" -o "$2"
}

objects=()
for source in archive archive_end code_depth tensor_records; do
  compile "src/file/$source.cpp" "$build/$source.o"
  objects+=("$build/$source.o")
done
for target in "${targets[@]}"; do
  compile "tests/fuzz/$target.cpp" "$build/$target.fuzz.o"
  "$clang" -fsanitize=fuzzer,address,undefined "$build/$target.fuzz.o" "${objects[@]}" -o "$build/$target.run" \
    -L "$libtorch_folder/lib" -Wl,-rpath,"$PWD/$libtorch_folder/lib" -lc10 -lzip -lz
done

# The tests' small files, and what they hold.
python3 - "$build" <<'PYTHON'
import pathlib, sys, zipfile
build = pathlib.Path(sys.argv[1])
for target in ("archive", "pickle", "code"):
    (build / target).mkdir(exist_ok=True)
for path in pathlib.Path("tests").rglob("*.pt"):
    if path.stat().st_size > 30_000 or not zipfile.is_zipfile(path):
        continue
    (build / "archive" / f"seed-{path.stem}").write_bytes(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            target = "pickle" if name.endswith("pkl") else "code" if name.endswith(".py") else None
            if target:
                (build / target / f"seed-{path.stem}-{pathlib.Path(name).name}").write_bytes(archive.read(name))
PYTHON

say "fuzzing ${targets[*]} for $seconds s"
failed=0 running=()
for target in "${targets[@]}"; do
  TMPDIR=$(mktemp -d) "$build/$target.run" "$build/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
    -max_len=40000 -artifact_prefix="$build/$target-" -print_final_stats=1 >"$build/$target.log" 2>&1 &
  running+=($!)
done
for k in "${!targets[@]}"; do
  wait "${running[k]}" || failed=1
  grep -E '^stat::number_of_executed_units|^SUMMARY|ERROR' "$build/${targets[k]}.log" | sed "s/^/${targets[k]}: /" || true
done
exit $failed
