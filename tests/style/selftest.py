#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests the rules: each bad file below must be found, by the rule and at the line that it names, and
nothing else may be found. Runs in a tree of its own."""

import pathlib
import sys
import tempfile

import check
import monitoring
import rules
import settings
import symptoms
import tree

HEAD = "/* " + rules.SPDX + " */\n"
GUARD = HEAD + "#ifndef {0}\n#define {0}\n{1}\n#endif\n"


ENTRY = "- It is new.\n"
CHANGELOG = "# Changelog\n## [Unreleased]\n### Added\n\n{}## [0.1.0] - 2025-12-31\n### Fixed\n- It was not.\n"


def function(name, body):
    return f"static void {name}(void)\n{{\n{body}}}\n"


# What is right: the components with one header each, so that the bad files have something to include.
GOOD = {
    **{
        f"include/relay/{component}/noun.h": GUARD.format(f"RELAY_{component.upper()}_NOUN_H", "")
        for component in rules.BELOW
        if component != "top"
    },
    "relay/store/private.h": GUARD.format("RELAY_STORE_PRIVATE_H", ""),
    # A noun's files are one, and a private header without a source of its own is its noun's.
    "relay/store/ring_private.h": GUARD.format("RELAY_STORE_RING_PRIVATE_H", ""),
    "relay/store/drum.c": HEAD + '#include "drum_state_private.h"\n',
    "relay/store/drum_more.c": HEAD + '#include "drum_state_private.h"\n',
    "relay/store/drum_private.h": GUARD.format("RELAY_STORE_DRUM_PRIVATE_H", ""),
    "relay/store/drum_state_private.h": GUARD.format("RELAY_STORE_DRUM_STATE_PRIVATE_H", '#include "drum_private.h"'),
    "relay/store/good.c": HEAD + '#include "private.h"\n#include "relay/base/noun.h"\n#include <string.h>\n',
    "relay/net/good.c": HEAD + '#include <event2/event.h>\n#include <openssl/ssl.h>\n',
    "relay/config/ini_file.c": HEAD + '#include <ini.h>\n#include "relay/commands/noun.h"\n',
    "relay/base/state_machine.c": HEAD + "void state_machine_enter(struct state_machine *machine, int state)\n{\n"
    "    machine->state = state;\n}\n/* machine->state = 1; strcpy(a, b) */\n"
    + function("speak", '    say("strcpy(a, b)");\n    if (link->state == 1)\n        snprintf(a, 1, b);\n'),
    "docs/good.md": "# All is `well`, and good\n[here](#all-is-well-and-good), [there](more.md#one-1), [it](../relay/)\n"
    "[elsewhere](https://example.com/x.md#y), `[code](gone.md)`\n```\n[code](gone.md)\n```\n",
    "docs/more.md": "## One\n## [One](good.md)\n```sh\n# no heading\n```\n",
    "docs/sources.md": "`state_machine_enter()`, `relay/base/state_machine.c`, `speak()`\n`state_machine_enter()` in `relay/`, `-c FILE`, `nothing`\n",
    "docs/protocol.md": "# The protocol\n## 2. Snapshots\n### 2.2 The first `ACK`\n```\n# 3.1 no heading\n```\n",
    "relay/base/cites.c": HEAD + "/* docs/protocol.md 2, 2.2; docs/protocol.md\n * 2.2 and\n * 2 */\n",
    "tests/support/stage.c": HEAD + "void stage_drop(int light,\n                int floor)\n{\n}\n",
    "tests/support/good.py": "# " + rules.SPDX + "\ndef light():\n    pass\n\n\nlight()\n",
    "tests/replay/stage/use.c": HEAD + "void (*set)(int) = stage_set;\n",
    "tests/good.sh": "#!/bin/sh\n# " + rules.SPDX + "\n",
}

# path -> (text, rule, line)
BAD = {
    "relay/base/shelf.c": (HEAD + "int shelf_count; /* the doorman's */\n", "words_that_went", 2),
    "relay/base/twin.c": (HEAD + function("settle", ""), "statics_carry_their_noun", 3),
    "relay/store/twin.c": (HEAD + function("settle", ""), "statics_carry_their_noun", 3),
    "docs/riddle.md": ("What they say goes over `replicaof`.\n", "plain_words", 1),
    "relay/base/predicate.c": (
        HEAD + "static bool is_late(struct timer *timer, int64_t now_ms)\n{\n"
        "    bool late = timer->due_ms == now_ms;\n    timer->asked_ms = now_ms;\n    return late;\n}\n",
        "predicates_change_nothing",
        5,
    ),
    "relay/base/up.c": (HEAD + '#include "relay/net/noun.h"\n', "layers", 2),
    "relay/net/sideways2.c": (HEAD + '\n#include "relay/store/noun.h"\n', "layers", 3),
    "relay/store/sideways2.c": (HEAD + '#include "relay/resp/noun.h"\n', "layers", 2),
    "relay/upstream/across.c": (HEAD + '#include "relay/downstream/noun.h"\n', "layers", 2),
    "relay/downstream/across.c": (HEAD + '#include "relay/upstream/noun.h"\n', "layers", 2),
    "relay/downstream/up.c": (HEAD + '#include "relay/commands/noun.h"\n', "layers", 2),
    "relay/commands/private.c": (HEAD + '#include "relay/store/private.h"\n', "layers", 2),
    "relay/attic/component.c": (HEAD, "layers", 1),
    "include/relay/resp/across.h": (
        GUARD.format("RELAY_RESP_ACROSS_H", '#include "relay/store/noun.h"'),
        "layers",
        4,
    ),
    "relay/commands/sideways.c": (HEAD + '#include "../store/private.h"\n', "private_headers", 2),
    "relay/commands/missing.c": (HEAD + '#include "private.h"\n', "private_headers", 2),
    "include/relay/store/shown.h": (
        GUARD.format("RELAY_STORE_SHOWN_H", '#include "private.h"'),
        "private_headers",
        4,
    ),
    "relay/upstream/event.c": (HEAD + "#include <event2/event.h>\n", "libraries", 2),
    "relay/store/tls.c": (HEAD + "#include <openssl/evp.h>\n", "libraries", 2),
    "relay/main.c": (HEAD + "#include <ini.h>\n", "libraries", 2),
    "tests/unit/lazy.c": (HEAD + '#include "../../relay/store/good.c"\n', "no_included_sources", 2),
    "relay/store/ring.c": (HEAD + '#include "ring_part.h"\n', "circles", 2),
    "relay/store/ring_part.h": (GUARD.format("RELAY_STORE_RING_PART_H", '#include "ring_private.h"'), "circles", 4),
    "relay/upstream/sneak.c": (HEAD + function("sneak", "    link->state = 2;\n"), "state_setters", 4),
    "relay/net/conn.c": (HEAD + function("conn_open", "    conn->state = 2;\n"), "state_setters", 4),
    "relay/downstream/card.c": (
        HEAD + function("note", "    atomic_store_explicit(&card->state, 2, relaxed);\n"),
        "state_setters",
        4,
    ),
    "relay/base/copy.c": (HEAD + function("copy", "    strcpy(to, from);\n"), "banned_words", 4),
    "tests/unit/number.c": (HEAD + function("number", "    return atoi(text);\n"), "banned_words", 4),
    "relay/base/later.c": (HEAD + "\n/* TODO: the rest */\n", "no_loose_ends", 3),
    "docs.md": ("one\n/" + "root/somewhere\n", "no_machine_paths", 2),
    "CHANGELOG.md": (CHANGELOG.format(ENTRY * 2), "changelog_form", 6),
    "docs/file.md": ("\n[gone](gone.md)\n", "dangling_links", 2),
    "docs/outside.md": ("[outside](../../README.md)\n", "dangling_links", 1),
    "docs/heading.md": ("# One\n```\n# Two\n```\n[two](#two)\n", "dangling_links", 5),
    "docs/other.md": ("[two](more.md#two)\n", "dangling_links", 1),
    "docs/source.md": ("[a line](../relay/main.c#main)\n", "dangling_links", 1),
    "relay/base/wrong.c": (HEAD + "\n/* docs/protocol.md 2.2 and\n * 2.3 */\n", "references", 3),
    "relay/base/block.c": (HEAD + "/* docs/protocol.md 3.1 */\n", "references", 2),
    "relay/base/homeless.c": (HEAD + "/* (protocol 2.2, docs/protocol.md 2.2) */\n", "references", 2),
    "tests/lost.py": ("# " + rules.SPDX + "\n# docs/lost.md\n", "references", 2),
    "docs/no-file.md": ("`relay/upstream/lost.c`\n", "cited_sources", 1),
    "docs/no-function.md": ("\n`link_leave()`\n", "cited_sources", 2),
    "docs/elsewhere.md": ("`relay/net/good.c` has `state_machine_enter()`\n", "cited_sources", 1),
    "tests/support/stage.h": (
        HEAD + "#ifndef TESTS_SUPPORT_STAGE_H\n#define TESTS_SUPPORT_STAGE_H\n#define STAGE stage_open()\n"
        "void stage_open(void);\nvoid stage_set(int light);\nvoid stage_drop(int light,\n                int floor);\n#endif\n",
        "support_is_called",
        7,
    ),
    "tests/support/props.py": ("# " + rules.SPDX + "\ndef mask():\n    pass\n", "support_is_called", 2),
    "tests/unit/attic/test_noun.c": (HEAD, "tests_mirror", 1),
    "tests/replay/link/test_noun.c": (HEAD + "int main(void)\n{\n}\n", "tests_mirror", 2),
    "relay/base/naked.c": ("int x;\n", "spdx", 1),
    "tests/naked.py": ("#!/usr/bin/python3\nimport sys\n", "spdx", 1),
    "relay/base/long.c": (HEAD + "\n" * rules.FILE_LINES_MAX, "sizes", rules.FILE_LINES_MAX + 1),
    "relay/base/endless.c": (
        HEAD + function("endless", "    f();\n" * rules.FUNCTION_LINES_MAX),
        "sizes",
        3,
    ),
    "relay/base/tall.h": (
        GUARD.format("RELAY_BASE_TALL_H", "\n" * rules.HEADER_LINES_MAX),
        "sizes",
        rules.HEADER_LINES_MAX + 1,
    ),
    "relay/base/guard.h": (GUARD.format("GUARD_H", ""), "header_guard", 1),
    "relay/base/noun.c": (HEAD + '#include <string.h>\n#include "relay/base/noun.h"\n', "own_header_first", 2),
}


def plant(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def rules_find_what_is_bad(root):
    plant(root, GOOD)
    plant(root, {path: text for path, (text, _, _) in BAD.items()})
    expected = {f"{path}:{line} {rule}" for path, (_, rule, line) in BAD.items()}
    actual = {f"{':'.join(text.split(':')[:2])} {rule}" for rule, text in check.findings(root)}
    untested = {rule.__name__ for rule in rules.RULES} - {rule for _, rule, _ in BAD.values()}
    yield from (f"expected, not found: {one}" for one in sorted(expected - actual))
    yield from (f"found, not expected: {one}" for one in sorted(actual - expected))
    yield from (f"rule without a bad file: {one}" for one in sorted(untested))


TABLE = """
static const struct setting settings[] = {
    {"store", "fsync", &kind_fsync_when, AT(x), "everysec", SETTING_LIVE},
    {"store", "port", &kind_port, AT(x), "",
     SETTING_SECRET | SETTING_ACCESS},
};
"""
KINDS = """
const struct value_kind kind_fsync_when = {VALUE_NAME, .names = names,
                                           .expected = "one of: no, everysec"};
const struct value_kind kind_port = {
    VALUE_PORT, .least = 0, .expected = "a \\"port\\" "
                                        "or 0"};
"""
INI = """[store]
# When it is forced
# to "disk".
#   no        never
#   everysec  once a
#             second
;fsync = everysec

# Must be set.
# Example: 6379
;port =
"""
DOCUMENT = """# Settings
<!-- settings: store -->

### store.fsync

When it is forced
to `disk`.

- `no`: never
- `everysec`: once a
  second

Value: one of: no, everysec. Default: `everysec`. Changed by: `CONFIG SET` or SIGHUP.

### store.port

Must be set.

Example: `6379`

Value: a "port" or 0. Default: empty. Changed by: SIGHUP.

<!-- end -->
More.
"""


def settings_are_held_together(root):
    rows = settings.rows_of(TABLE)
    kinds = settings.kinds_of(KINDS)

    def ini(text):
        return settings.ini_findings(rows, text)

    def document(text):
        return list(settings.document_findings(text, rows, INI, kinds))

    cases = [
        ("ini as it should be", ini(INI), 0),
        ("ini: another default", ini(INI.replace("= everysec", "= no")), 1),
        ("ini: no description", ini(INI.replace("# Must be set.\n# Example: 6379\n", "")), 1),
        ("ini: a row too few", ini(INI.replace(";port =", "")), 1),
        ("ini: a row too many", ini(INI + ";extra = 1\n"), 1),
        ("ini: another order", settings.ini_findings(rows[::-1], INI), 1),
        ("ini: another section", ini(INI.replace("[store]", "[relay]")), 4),
        ("ini: switched on", ini(INI.replace(";fsync", "fsync")), 3),
        ("document as it should be", document(DOCUMENT), 0),
        ("document: another text", document(DOCUMENT.replace("never", "seldom")), 1),
        ("document: a line too many", document(DOCUMENT.replace("Must", "It\nmust")), 1),
        ("document: another default", document(DOCUMENT.replace(": `every", ": `each")), 1),
        ("document: no marker", document(DOCUMENT.replace("settings: store", "settings: http")), 2),
    ]
    if len(rows) != 2 or rows[1].flags != "SETTING_SECRET | SETTING_ACCESS":
        yield f"rows_of: expected 2 rows, got {rows}"
    for name, found, count in cases:
        if len(found) != count:
            yield f"{name}: expected {count} findings, got {found}"


def changelog_has_its_form(root):
    good = CHANGELOG.format(ENTRY)
    cases = [
        ("as it should be", good, 0),
        ("no date", good.replace(" - 2025-12-31", ""), 1),
        ("a version on top", good.replace("[Unreleased]", "[0.2.0] - 2025-12-31"), 1),
        ("another kind", good.replace("Fixed", "Mended"), 1),
        ("a kind twice", CHANGELOG.format(ENTRY + "### Added\n"), 1),
        ("an entry of no kind", good.replace("### Fixed\n", ""), 1),
    ]
    for name, text, count in cases:
        path = root / "CHANGELOG.md"
        path.write_text(text)
        found = list(rules.changelog.changelog_form(tree.Source(root, path), root))
        if len(found) != count:
            yield f"{name}: expected {count} findings, got {found}"


SYMPTOMS = "| finding `disk_low`, log `cause=rdb: the RDB … is not whole` | `never checked` |\n| `lagged` | |\n"
STRINGS = 'rdb\nthe RDB %s is not whole\n'


def symptoms_are_told(root):
    names = {"finding": ["disk_low"], "reason": ["lagged"]}
    cases = [
        ("as it should be", symptoms.findings(SYMPTOMS, names, STRINGS), 0),
        ("a finding too few", symptoms.findings(SYMPTOMS, {"finding": ["disk_low", "other"]}, STRINGS), 1),
        ("a reason too few", symptoms.findings(SYMPTOMS.replace("lagged", "gone"), names, STRINGS), 1),
        ("another cause", symptoms.findings(SYMPTOMS.replace("=rdb", "=disk"), names, STRINGS), 1),
        ("another line", symptoms.findings(SYMPTOMS.replace("whole", "all"), names, STRINGS), 1),
        ("a field", symptoms.unknown_fields("a.md", "`upstream_state:up`", "upstream_state"), 0),
        ("no field", symptoms.unknown_fields("a.md", "`upstream_state:up`", "upstream_stat"), 1),
    ]
    for name, found, count in cases:
        if len(list(found)) != count:
            yield f"{name}: expected {count} findings"


SOURCE = """
    report_u64(report, "segments", 1);
    report_text(&report,
                "ack", "%s", rule);
    snprintf(name, sizeof(name), "slave%zu", i);
    {"psync_relay_ready", GAUGE,
    write_head(out, "psync_relay_build_info", GAUGE, "");
    {SEVERITY_NOTE, "rights_missing", finds},
    {SEVERITY_PROBLEM, "rights_missing", finds_more},
    [LINK_IDLE] = {"idle", NULL},
    [REPLICA_LOADING] = {"loading",
    REASON(TLS, tls, WARNING, "")
"""
MONITORING = """# Monitoring
`segments`, `ack`, `slave<N>`
## Link states
| `idle` | |
| `stalled` | |
## Changes of state
| `loading` | |
## Metrics
| `psync_relay_ready` | |
| `psync_relay_build_info` | `version` |
## Findings
| `rights_missing` | problem or note | |
## Reasons for closing a connection
| `tls` | `closed_tls` | |
"""


def monitoring_is_explained(root):
    cases = [
        ("as it should be", MONITORING, 0),
        ("no field", MONITORING.replace("`ack`, ", ""), 1),
        ("no numbered field", MONITORING.replace("<N>", ""), 1),
        ("no field of a reason", MONITORING.replace("`closed_tls`", ""), 1),
        ("no metric", MONITORING.replace("| `psync_relay_ready` | |\n", ""), 1),
        ("a metric elsewhere", MONITORING.replace("## Metrics", "`psync_relay_ready`\n## Rest"), 2),
        ("a metric too many", MONITORING.replace("_ready` |", "_ready`, `psync_relay_x` |"), 1),
        ("no finding", MONITORING.replace("| `rights_missing`", "| rights_missing"), 1),
        ("another severity", MONITORING.replace("problem or", ""), 1),
        ("no state", MONITORING.replace("`idle`", "idle"), 1),
        ("no other state", MONITORING.replace("`loading`", "loading"), 1),
        ("another reason", MONITORING.replace("| `tls`", "| `ssl`"), 2),
    ]
    for name, text, count in cases:
        found = list(monitoring.findings(SOURCE, text))
        if len(found) != count:
            yield f"{name}: expected {count} findings, got {found}"
    log = "## Log\n| `no such line` | |\n### Start, stop and settings\n| `store: cannot open …: it is kept` | `a b` |\n"
    for strings, count in (("store: cannot open %s: it is kept", 0), ("store: cannot open", 1), ("", 2)):
        found = list(monitoring.unknown_events(log, strings))
        if len(found) != count:
            yield f"events of the log, '{strings}': expected {count} findings, got {found}"


def main():
    failed = 0
    tests = [
        rules_find_what_is_bad,
        settings_are_held_together,
        monitoring_is_explained,
        symptoms_are_told,
        changelog_has_its_form,
    ]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            wrong = list(test(pathlib.Path(folder)))
        for line in wrong:
            print(f"{test.__name__}: {line}")
        failed += bool(wrong)
    print(f"{len(tests) - failed} passed, {failed} failed (tests of the rules of style)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
