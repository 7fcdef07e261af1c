#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""check.py [TREE]: applies every rule to every file; prints FILE:LINE: what would be right (rule)."""

import pathlib
import sys

import rules
import tree


def findings(root):
    root = pathlib.Path(root)
    for source in tree.sources(root):
        for rule in rules.RULES:
            for line, text in rule(source, root):
                yield rule.__name__, f"{source.path}:{line}: {text} ({rule.__name__})"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    failed = set()
    for rule, text in findings(root):
        print(text)
        failed.add(rule)
    print(f"{len(rules.RULES) - len(failed)} passed, {len(failed)} failed (rules of style)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
