# SPDX-License-Identifier: MIT
"""One thing has one word: the words that went, and what is said instead; predicates that change nothing; statics with a noun."""

import functools
import re

import tree

# In names and comments of relay/ and include/: each part of an identifier counts as a word.
GONE = {
    "acker": "ack_tracker",
    "bell": "notifier",
    "cards": "replica stats",
    "dialog": "server_conn, connection",
    "doorman": "connection limiter",
    "doors": "callbacks",
    "era": "replication id",
    "greeting": "handshake",
    "guesses": "login throttle, failed logins",
    "intake": "stream receiver",
    "memo": "saved primary",
    "origin": "primary, upstream",
    "prover": "verifier",
    "renewal": "refresh",
    "resting": "retrying, paused, backing off",
    "rooms": "components",
    "shelf": "snapshot set",
    "sighting": "Sentinel reply",
    "stranger": "unauthenticated client",
    "ties": "dependencies, callbacks",
    "visitor": "client state",
}
GONE_WORD = re.compile(rf"(?<![A-Za-z])({'|'.join(GONE)})s?(?![A-Za-z])", re.IGNORECASE)
KEPT = re.compile(r'"origin"|psync-relay origin|[Ss]ame-[Oo]rigin|origin\.example|"Origin|\bOrigin header')

# In everything that a user reads.
PHRASES = {
    r"goes over (?:the )?[`a-z]": "overrides",
    r"made anew": "reconnects, is made again",
    r"memory is out": "out of memory",
    r"tells what can be said": "see --help",
    r"SIGHUP will not do": "takes effect after a restart",
    r"what there was before stays": "the previous one stays in use",
    r"\bmend that\b": "what to correct",
}
PHRASE = re.compile("|".join(f"({pattern})" for pattern in PHRASES))
READ_BY_USERS = re.compile(r"README\.md$|docs/|etc/|relay/.*\.[ch]$|include/|docker/")

PREDICATE = re.compile(r"(?:^|_)(?:is|has|may|can|must)_")
ASSIGNS = re.compile(r"(?<![\w>.])(\w+)->[\w.>\[\]-]*\s*(?:=(?!=)|[-+*|&]=|\+\+|--)")


def words_that_went(source, root):
    if source.component() is None or not source.is_c:
        return
    for number, line in enumerate(source.lines, 1):
        if KEPT.search(line):
            continue
        for match in GONE_WORD.finditer(line):
            yield number, f"{match.group(0)}: say {GONE[match.group(1).lower()]}"


def plain_words(source, root):
    if not READ_BY_USERS.match(source.path):
        return
    for number, line in enumerate(source.lines, 1):
        match = PHRASE.search(line)
        if match:
            yield number, f'"{match.group(0)}": say {list(PHRASES.values())[match.lastindex - 1]}'


def predicates_change_nothing(source, root):
    """A function is_*, has_*, may_*, can_* or must_* assigns to no field of what it is given."""
    if source.component() is None or not source.path.endswith(".c"):
        return
    for name, first, last in source.functions():
        if not PREDICATE.search(name):
            continue
        given = tree.parameters(source, first)
        for number in range(first, last):
            match = ASSIGNS.search(source.code[number - 1])
            if match and match.group(1) in given:
                yield number, f"{name} is a predicate and changes {match.group(1)}: give it a verb"


@functools.lru_cache(maxsize=None)
def places_of_statics(root):
    """name of a static function -> the files of relay/ that have one."""
    places = {}
    for path in (root / "relay").rglob("*.c"):
        for name, _ in tree.statics(tree.Source(root, path)):
            places.setdefault(name, set()).add(path.relative_to(root).as_posix())
    return places


def statics_carry_their_noun(source, root):
    """A name in a back trace, in a profile or in a search is enough to know where one is."""
    if source.component() is None or not source.path.endswith(".c"):
        return
    for name, line in tree.statics(source):
        others = places_of_statics(root)[name] - {source.path}
        if others:
            yield line, f"{name} is also in {sorted(others)[0]}: begin it with the noun of its file"


RULES = [words_that_went, plain_words, predicates_change_nothing, statics_carry_their_noun]
