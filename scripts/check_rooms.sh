#!/usr/bin/env bash
# Checks the rooms (the folders of src):
# - a file includes only headers of its own room and of the rooms that its room may use;
# - a file name belongs to one room: no two rooms have a .cpp or .h file with the same base name.
# Prints each violation; exit 1 where there is one. Another tree: scripts/check_rooms.sh [folder with src/].
source "$(dirname "$0")/lib.sh"
[ $# -eq 0 ] || cd "$1"

# What each room may use, besides itself and the public headers (fusekit/...).
declare -A may_use=(
  [cli]=""
  [tune]="bench target quantize verify rewrite print inputs file ir runtime"
  [bench]="inputs file ir runtime"
  [doctor]=""
  [target]="inputs file ir runtime"
  [quantize]="verify target rewrite inputs file ir runtime"
  [verify]="target inputs file ir runtime"
  [rewrite]="inputs ir"
  [print]="inputs file ir"
  [inputs]="file ir runtime"
  [file]="ir runtime"
  [ir]=""
  [runtime]=""
  [switches]=""
)
behind="tune bench doctor target quantize verify rewrite print inputs file ir runtime switches"
# Third-party headers that only some rooms may know.
declare -A only_for=(["CLI/"]="cli" ["torch/"]="$behind" ["ATen/"]="$behind" ["c10/"]="$behind")

rooms=$(printf '%s|' "${!may_use[@]}")
status=0
complain() {
  printf '%s: %s\n' "$1" "$2"
  status=1
}

while IFS=: read -r file line include; do
  room=${file#src/}
  [[ $room == */* ]] && room=${room%%/*} || room=main
  header=${include#*[\"<]}
  header=${header%[\">]*}
  if [[ $room == main ]]; then
    [[ $header =~ ^(${rooms%|})/ && $header != cli/* ]] && complain "$file:$line" "main.cpp may use cli only, not $header"
    continue
  fi
  if [[ $header == */* && " ${!may_use[*]} " == *" ${header%%/*} "* ]]; then
    used=${header%%/*}
    [[ $used == "$room" || " ${may_use[$room]} " == *" $used "* ]] ||
      complain "$file:$line" "$room may not use $used: $header"
  fi
  for prefix in "${!only_for[@]}"; do
    [[ $header != "$prefix"* || " ${only_for[$prefix]} " == *" $room "* ]] ||
      complain "$file:$line" "$room may not know $header"
  done
done < <(grep -rnE '^ *# *include *["<]' src --include='*.cpp' --include='*.h' | grep -v '^src/torch_pch.h:')

# src/cli/NAME.cpp without a header of its own is the command NAME and may be called like what it runs.
declare -A room_of first_file
while read -r file; do
  room=${file#src/}
  [[ $room == */* ]] || continue
  room=${room%%/*}
  name=${file##*/}
  name=${name%.*}
  [[ $file != src/cli/*.cpp || -f ${file%.cpp}.h ]] || continue
  known=${room_of[$name]:-$room}
  [[ $known == "$room" ]] || complain "$file" "the file name $name belongs to ${first_file[$name]}"
  [[ -n ${room_of[$name]:-} ]] || { room_of[$name]=$room && first_file[$name]=$file; }
done < <(find src -name '*.cpp' -o -name '*.h' | sort)
exit $status
