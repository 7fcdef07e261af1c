# SPDX-License-Identifier: MIT
#
# Which objects of tests/support/ a test program is linked with: those whose headers its sources include,
# directly or through other files of the tests. Reads tests/**/*.[ch], prints for each program one word,
#
#     unit/net/test_transport_tls:certificates,fake_clock
#
# without the prefix tests/ and without test.o, which every program has.

function base(path) { sub(/.*\//, "", path); return path }

# What the files called `name` include, and what is behind that.
function visit(name,    count, i, names) {
    if (name in seen)
        return
    seen[name] = 1
    count = split(included[name], names, " ")
    for (i = 1; i <= count; i++)
        visit(names[i])
    if (sub(/\.h$/, ".c", name) && name in supports)
        visit(name)
}

FNR == 1 {
    name = base(FILENAME)
    if (FILENAME ~ /^tests\/support\/.*\.c$/)
        supports[name] = 1
    if (FILENAME ~ /\/(test|fuzz)_[a-z0-9_]*\.c$/)
        name = programs[++program_count] = FILENAME
}

/^#include "/ {
    split($0, parts, "\"")
    if (parts[2] !~ /relay\//)
        included[name] = included[name] " " base(parts[2])
}

END {
    for (i = 1; i <= program_count; i++) {
        split("", seen)
        visit(programs[i])
        objects = ""
        for (support in supports)
            if (support != "test.c" && support in seen)
                objects = objects "," substr(support, 1, length(support) - 2)
        path = programs[i]
        gsub(/^tests\/|\.c$/, "", path)
        print path ":" substr(objects, 2)
    }
}
