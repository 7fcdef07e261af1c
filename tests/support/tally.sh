# SPDX-License-Identifier: MIT
#
# For scripts that run many sets of tests and end with one line, the sum over all of them:
#
#     . tests/support/tally.sh
#     run TITLE COMMAND...      shows its output, and adds up what it tells
#     build TITLE COMMAND...    a build has no counts of its own: it is one test
#     tally                     N passed, N failed[, N skipped]; false if anything failed
# shellcheck shell=bash

tally_log=$(mktemp)
trap 'rm -f "$tally_log"' EXIT
passed=0 failed=0 skipped=0

# How many there are of an outcome in the lines in which test programs, the checks of style and pytest
# tell their counts ("3 passed, 1 failed ...", "= 1 failed, 12 passed, 2 skipped in 5.61s =").
count()
{
    grep -E '^(=+ )?[0-9]+ (passed|failed|skipped|errors?)\b' "$tally_log" |
        grep -oE "[0-9]+ ($1)\b" | awk '{ n += $1 } END { print n + 0 }'
}

run()
{
    local title=$1 start=$SECONDS status failures
    shift
    printf '\n== %s: %s\n' "$title" "$*"
    "$@" 2>&1 | tee "$tally_log"
    status=${PIPESTATUS[0]}
    failures=$(count 'failed|errors?')
    # What fails without having counted anything (a compiler, a crash of pytest) is one failure.
    if [ "$status" -ne 0 ] && [ "$failures" -eq 0 ]; then
        failures=1
    fi
    passed=$((passed + $(count passed)))
    failed=$((failed + failures))
    skipped=$((skipped + $(count skipped)))
    printf '== %s: status %d after %d s\n' "$title" "$status" $((SECONDS - start))
    return "$status"
}

build()
{
    run "$@" && passed=$((passed + 1))
}

tally()
{
    printf '\n== all: %d s\n' "$SECONDS"
    if [ "$skipped" -gt 0 ]; then
        printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    else
        printf '%d passed, %d failed\n' "$passed" "$failed"
    fi
    [ "$failed" -eq 0 ]
}
