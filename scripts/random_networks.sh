#!/usr/bin/env bash
# Draws networks at random (state of every kind, modules in training mode, optional arguments), puts each through `fuse`,
# `fuse --for cpu` and `quantize`, and checks that the written files hold the original's state to the bit and agree with it run by run.
#   scripts/random_networks.sh [--count N] [--seed S] [preset]      networks S to S + N - 1 (default: 1000 from 1000)
# A network that fails is printed with its seed; `--count 1 --seed SEED` runs it again.
source "$(dirname "$0")/lib.sh"
count=1000
seed=1000
preset=
while [ $# -gt 0 ]; do
  case $1 in
    --count) count=${2:?--count needs a number} && shift 2 ;;
    --seed) seed=${2:?--seed needs a number} && shift 2 ;;
    -*) stop "$1: there is no such option; --count N and --seed S are" ;;
    *) preset=$1 && shift ;;
  esac
done
preset=${preset:-$(default_preset)}
tests=build/$preset/tests/fusekit_tests
[ -x "$tests" ] || stop "$tests is not there: scripts/test.sh $preset builds it"
OMP_NUM_THREADS=1 FUSEKIT_NETWORKS=$count FUSEKIT_NETWORKS_SEED=$seed \
  exec "$tests" --gtest_brief=1 --gtest_filter=RandomNetworks.KeepTheirStateAndAgreeRunByRun
