#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a compiler does not see: tests/style/*.py, and the format where clang-format is at hand.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/support

/usr/bin/python3 tests/style/selftest.py || status=1
/usr/bin/python3 tests/style/check.py || status=1
/usr/bin/python3 tests/style/settings.py || status=1
/usr/bin/python3 tests/style/bounds.py || status=1
/usr/bin/python3 tests/style/symptoms.py || status=1
/usr/bin/python3 tests/style/monitoring.py || status=1

# Only what has changed since clang-format of this version found all files well formatted.
stamp=build/formatted
format()
{
    newer=
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(clang-format --version)" ] && [ ! .clang-format -nt "$stamp" ]; then
        newer="-newer $stamp"
    fi
    mkdir -p build
    clang-format --version >"$stamp.new"
    # shellcheck disable=SC2086 # two words, or none
    find relay include tests -name '*.[ch]' $newer -print0 |
        xargs -0 -r -n 50 -P 2 clang-format -n --Werror --ferror-limit=3 && mv "$stamp.new" "$stamp"
}

if command -v clang-format >/dev/null; then
    if format; then
        echo "1 passed, 0 failed (clang-format)"
    else
        echo "0 passed, 1 failed (clang-format: make format)"
        status=1
    fi
else
    echo "0 passed, 0 failed, 1 skipped (there is no clang-format)"
fi
exit $status
