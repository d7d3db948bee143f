#!/usr/bin/env bash
# Holds the rooms' rule: a file of a room includes only its own room's headers and those of the rooms it may use.
# Prints each offending line; exit 1 where there is one. Another tree: scripts/check_rooms.sh [folder with src/].
source "$(dirname "$0")/lib.sh"
[ $# -eq 0 ] || cd "$1"

# What each room may use, besides itself and the public headers (fusekit/...).
declare -A may_use=(
  [cli]=""
  [tune]="bench target quantize verify rewrite print inputs file ir runtime"
  [bench]="inputs file ir runtime"
  [doctor]=""
  [target]="rewrite ir"
  [quantize]="verify rewrite inputs file ir runtime"
  [verify]="inputs file ir runtime"
  [rewrite]="inputs ir"
  [print]="file ir"
  [inputs]="file ir runtime"
  [file]="ir runtime"
  [ir]=""
  [runtime]=""
)
behind="tune bench doctor target quantize verify rewrite print inputs file ir runtime"
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
exit $status
