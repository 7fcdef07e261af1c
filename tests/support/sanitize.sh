#!/bin/bash
# SPDX-License-Identifier: MIT
#
# All tests under AddressSanitizer with UBSan, then under ThreadSanitizer: sanitize.sh [address] [thread]
# A report of a sanitizer is a failure, however the test that caused it has ended.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/support/tally.sh

[ $# -gt 0 ] || set -- address thread
for san in "$@"; do
    build "$san: build" make -j"$(nproc)" SAN="$san" programs || continue
    run "$san: check" make SAN="$san" check-all
    run "$san: e2e" make SAN="$san" e2e
done
tally
