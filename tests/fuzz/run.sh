#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh SECONDS PROGRAM...: runs each fuzz target for that long, as many at a time as there are cores,
# and prints a line for each: how many inputs it ran, how many of them took a new path, what it found.
#
# Inputs come from tests/fuzz/corpus/<target>/ (real captures, never changed) and from
# build/fuzz/corpus/<target>/, where new ones are kept for the next run. What ends a target (a CHECK, a
# sanitizer, a leak, ten seconds for one input) is a finding: its input is kept under
# build/fuzz/found/, and running the program with that file alone shows it again.
set -u

seconds=$1
shift

# one SECONDS PROGRAM
one()
{
    local seconds=$1 program=$2 target folder seeds found log words runs new status
    target=$(basename "$program")
    target=${target#fuzz_}
    folder=$(dirname "$program")
    seeds=tests/fuzz/corpus/$target
    found=$folder/found
    log=$folder/$target.log
    words=tests/fuzz/$target.dict
    [ -f "$words" ] || words=tests/fuzz/resp.dict
    mkdir -p "$folder/corpus/$target" "$found"
    [ -d "$seeds" ] || seeds=
    # shellcheck disable=SC2086 # an option, or none
    ASAN_OPTIONS=allocator_may_return_null=1:handle_abort=1 UBSAN_OPTIONS=print_stacktrace=1 \
        "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -use_value_profile=1 \
        -print_final_stats=1 -artifact_prefix="$found/$target-" \
        -dict="$words" "$folder/corpus/$target" $seeds >"$log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    new=$(sed -n 's/^stat::new_units_added: *//p' "$log")
    if [ "$status" -eq 0 ]; then
        printf '  %-14s %9s runs, %5s new paths, nothing found\n' "$target" "$runs" "$new"
        return
    fi
    grep -E '^(==.*ERROR|SUMMARY|relay/|tests/|.*CHECK|.*runtime error|    #[0-9])' "$log" | head -25
    printf '  %-14s %9s runs, %5s new paths, FOUND %s (log: %s)\n' "$target" "${runs:-?}" "${new:-?}" \
        "$(sed -n 's/.*Test unit written to //p' "$log" | head -1)" "$log"
    return 1
}
export -f one

failures=$(mktemp)
trap 'rm -f "$failures"' EXIT
export failures
printf '%s\n' "$@" |
    xargs -P "$(nproc)" -I{} bash -c 'one "$0" "$1" || echo "$1" >>"$failures"' "$seconds" {}
failed=$(wc -l <"$failures")
printf '%d passed, %d failed (fuzz targets)\n' $(($# - failed)) "$failed"
[ "$failed" -eq 0 ]
