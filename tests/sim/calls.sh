#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes out of the relay's objects one that asks the simulation and not the system.
#
#     tests/sim/calls.sh OUT ARCHIVE
#
# Of the relay's functions only those in entries.txt can be called from the simulation, which has names of its own,
# and what they do not need is left out: the command line, for one.
# Each call in calls.h is renamed, and the static variables go into a section of their own (process.h). An
# undefined symbol that is neither in calls.h nor in harmless.txt ends the build.
set -eu
here=$(dirname "$0")
out=$1
sed -nE 's/^CALL\([a-z_0-9]+, ([a-z_0-9]+)\);.*/\1 sim_\1/p; s/^int sim_(__[a-z_0-9]+)\(.*/\1 sim_\1/p' \
    "$here/calls.h" >"$out.names"
# shellcheck disable=SC2046 # a word for each name
ld -r -o "$out.whole" $(sed 's/^/-u /' "$here/entries.txt") "$2"
objcopy --redefine-syms="$out.names" \
    --rename-section .data=relay_statics,alloc,load,data,contents \
    --rename-section .data.rel.local=relay_statics,alloc,load,data,contents \
    --rename-section .bss=relay_statics,alloc,load,data,contents \
    --keep-global-symbols="$here/entries.txt" \
    "$out.whole" "$out"
rm -f "$out.whole"
grep -v '^#' "$here/harmless.txt" >"$out.harmless"
if nm -u "$out" | sed 's/^ *[Uw] //' | grep -v '^sim_' | grep -vxEf "$out.harmless"; then
    rm -f "$out"
    echo "tests/sim: the relay makes these calls, which the simulation does not know: add each to calls.h" \
        "with an answer, or to harmless.txt" >&2
    exit 1
fi
