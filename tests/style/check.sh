#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a compiler does not see: tests/style/*.py, and the format where clang-format is at hand.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0
export PYTHONDONTWRITEBYTECODE=1

/usr/bin/python3 tests/style/selftest.py || status=1
/usr/bin/python3 tests/style/check.py || status=1
/usr/bin/python3 tests/style/settings.py || status=1
/usr/bin/python3 tests/style/bounds.py || status=1
/usr/bin/python3 tests/style/monitoring.py || status=1

if command -v clang-format >/dev/null; then
    if find relay include tests -name '*.[ch]' -exec clang-format -n --Werror --ferror-limit=3 {} +; then
        echo "1 passed, 0 failed (clang-format)"
    else
        echo "0 passed, 1 failed (clang-format: make format)"
        status=1
    fi
else
    echo "0 passed, 0 failed, 1 skipped (there is no clang-format)"
fi
exit $status
