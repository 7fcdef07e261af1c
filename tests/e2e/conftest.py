# SPDX-License-Identifier: MIT
"""Fixtures and reports for the end-to-end tests; what they are built of lives in tests/support/."""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import lab as lab_module  # noqa: E402
import relay as relay_module  # noqa: E402
import servers  # noqa: E402
import wait  # noqa: E402

TEST_SECONDS = 60


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: exercises the workers; for the sanitizer runs")
    config.addinivalue_line(
        "markers", "seconds(n): this test may take n seconds on a quick machine"
    )


def pytest_collection_modifyitems(config, items):
    for item in items:
        marker = item.get_closest_marker("seconds")
        seconds = marker.args[0] if marker else TEST_SECONDS
        if config.pluginmanager.hasplugin("timeout"):
            item.add_marker(pytest.mark.timeout(wait.limit(seconds)))
    # The longest first, so that the parallel run does not end with one worker busy.
    items.sort(key=lambda item: -getattr(item.get_closest_marker("seconds"), "args", (0,))[0])


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    if not relay_module.PROGRAM.exists():
        pytest.exit(f"{relay_module.PROGRAM} is not there: make", 2)
    if not servers.is_available(servers.REDIS):
        pytest.exit("Redis 7.0 is not there: tests/support/setup.sh test", 2)


def needs(kind):
    if not servers.is_available(kind):
        pytest.skip(f"{kind} could not be fetched (tests/support/setup.sh test)")
    return kind


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed
    if report.failed and "lab" in getattr(item, "funcargs", {}):
        for name, tail in item.funcargs["lab"].logs():
            report.sections.append((f"log of {name}", tail))


@pytest.fixture
def lab(tmp_path, request):
    """A lab in a folder of its own; the folder is kept only if the test failed."""
    thing = lab_module.Lab(tmp_path)
    yield thing
    thing.close()
    if not getattr(request.node, "failed", True):
        shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(params=servers.KINDS)
def kind(request):
    """Every kind of origin there is."""
    return needs(request.param)


@pytest.fixture
def valkey():
    return needs(servers.VALKEY)


@pytest.fixture
def valkey_91():
    return needs(servers.VALKEY_91)
