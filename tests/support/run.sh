#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs test programs, each in its own process, as many at a time as there are cores; prints a failed
# one's output whole, and one line for the rest: "N passed, N failed" test programs.
set -u
results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT

run_one()
{
    local log=$results/${1//\//-}
    if "$1" >"$log" 2>&1; then
        rm "$log"
    else
        printf '  FAIL  %s\n' "$1" >>"$log"
    fi
}
export results
export -f run_one
printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I PROGRAM bash -c 'run_one "$1"' run_one PROGRAM

failed=$(find "$results" -type f | wc -l)
find "$results" -type f -exec cat {} +
printf '%d passed, %d failed (test programs)\n' $(($# - failed)) "$failed"
[ "$failed" -eq 0 ]
