# SPDX-License-Identifier: MIT
"""What the program says, as its sources have it: the names and texts that documents must explain or may quote."""

import re

STRING = r'"((?:\\.|[^"\\\n])*)"'
LITERAL = re.compile(STRING + r"(?:\s*" + STRING + ")*")
MACHINE = re.compile(r'struct state_machine_kind \w+ = \{\s*\.name = "([^"]+)"')
FINDING = re.compile(r'\{SEVERITY_(\w+),\s*"(\w+)"')
REASON = re.compile(r"^\s+REASON\(\w+, (\w+),", re.M)
CAUSE = re.compile(r"cause=(\w+):?")


def literals(root):
    """Every string of the program, pieces that stand beside each other joined, and how each line of the log
    begins that a state machine writes."""
    found = []
    for path in sorted([*root.glob("relay/**/*.[ch]"), *root.glob("include/**/*.h")]):
        text = path.read_text()
        for match in LITERAL.finditer(text):
            found.append("".join(re.findall(STRING, match.group(0))))
        found += [f"{name} state=" for name in MACHINE.findall(text)]
    return "\n".join(found)


def finding_names(text):
    """{name: its severities, in lower case}"""
    found = {}
    for severity, name in FINDING.findall(text):
        found.setdefault(name, set()).add(severity.lower())
    return found


def quotes(code):
    """What must be in the program's strings for a line of the log to be one: words between what varies ("…")."""
    for cause in CAUSE.findall(code):
        yield cause
    for part in re.split("…", CAUSE.sub("…", code)):
        if " " in part.strip():
            yield part.strip()


def unknown_quotes(document, codes, strings):
    """Of the words of code that a document quotes: what the program does not say."""
    for code in codes:
        for quote in quotes(code):
            if quote not in strings:
                yield f"{document}: `{code}`: the program has no text with '{quote}'"


def report(found, what):
    """Prints the findings and the sum of a check. Returns its exit status."""
    for line in found:
        print(line)
    print(f"{int(not found)} passed, {int(bool(found))} failed ({what})")
    return 1 if found else 0
