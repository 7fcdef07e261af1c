#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs test programs, each in its own process; prints a failed one's output whole, and one line for
# the rest: "N passed, N failed" test programs.
set -u
passed=0 failed=0
for program in "$@"; do
    if output=$("$program" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  FAIL  %s\n' "$output" "$program"
    fi
done
printf '%d passed, %d failed (test programs)\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
