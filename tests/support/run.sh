#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs test programs, each in its own process, twice as many at a time as there are cores, since many of them wait:
# those first that took longest the last time. Prints a failed one's output whole, and one line for the rest:
# "N passed, N failed" test programs.
set -u
results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT

run_one()
{
    local log=$results/${1//\//-} start=$EPOCHREALTIME end
    if "$1" >"$log" 2>&1; then
        rm "$log"
    else
        printf '  FAIL  %s\n' "$1" >>"$log"
    fi
    end=$EPOCHREALTIME
    echo $((${end/[.,]/} - ${start/[.,]/})) >"$1.us"
}
export results
export -f run_one

for program; do
    us=
    [ -f "$program.us" ] && read -r us <"$program.us"
    printf '%s %s\n' "${us:-0}" "$program"
done | sort -rn | cut -d' ' -f2- | tr '\n' '\0' |
    xargs -0 -P $((2 * $(nproc))) -I PROGRAM bash -c 'run_one "$1"' run_one PROGRAM

failed=$(find "$results" -type f | wc -l)
find "$results" -type f -exec cat {} +
printf '%d passed, %d failed (test programs)\n' $(($# - failed)) "$failed"
[ "$failed" -eq 0 ]
