# SPDX-License-Identifier: MIT
"""The status page, in a real browser: what an operator sees."""

import importlib.util
import shutil

import pytest

import load
import wait

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("selenium") is None or shutil.which("chromedriver") is None,
        reason="chromium-driver and python3-selenium are not there (tests/support/setup.sh test)",
    ),
    pytest.mark.seconds(120),
]


TEXTS = ("h1", "#verdict", "#summary", "#upstream-address", "#rows th", ".pill", "dt", "dd", ".pulse")


class Page:
    """One tab with the page of `relay`."""

    def __init__(self, driver, relay):
        self.driver = driver
        # The page of the test before goes on asking a relay that has gone: not our complaints.
        self.driver.get("about:blank")
        self.complaints()
        self.driver.get(f"http://127.0.0.1:{relay.http_port}/")

    def run(self, script):
        return self.driver.execute_script(f"return {script}")

    def text(self, selector):
        return self.run(f"document.querySelector('{selector}')?.innerText ?? ''")

    def mood(self):
        return self.run("document.body.dataset.mood")

    def rows(self):
        """{port: word of its state}"""
        script = """[...document.querySelectorAll('#rows tr')].map(
            (row) => [row.children[0].innerText, row.children[1].innerText])"""
        return {int(name.rpartition(":")[2]): word for name, word in self.run(script)}

    def findings(self):
        return self.run("[...document.querySelectorAll('#findings .finding')].map((one) => one.dataset.name)")

    def complaints(self):
        """What the console has to say since the last time."""
        return [line["message"] for line in self.driver.get_log("browser")]

    def shape(self, width, height, dark=False):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]},
        )


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    from selenium import webdriver  # pylint: disable=import-outside-toplevel
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new",
        "--no-sandbox",  # root, in a container
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--window-size=1200,1000",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    browser.set_page_load_timeout(wait.limit(30))
    yield browser
    browser.quit()


def test_a_replica_appears_lags_and_leaves(lab, driver):
    origin = lab.origin()
    load.fill(origin, rounds=3)
    relay = lab.relay(origin, http=True).wait_link()
    page = Page(driver, relay)
    wait.equal("the page says that all is well", page.mood, "ok")
    assert page.text("#upstream-address") == f"127.0.0.1:{origin.port}"
    assert page.text("#upstream-state") == "streaming"
    assert "No replica is connected" in page.text("#replicas-note")

    replica = lab.replica(relay).wait_online()
    lab.writer(origin)
    wait.equal("it appears", page.rows, {replica.port: "online"})
    assert page.text("#crowd-count") == "1 online"
    assert page.run("document.querySelectorAll('#window .mark-rdb').length") == 1
    wait.until("its rate", lambda: "/s" in page.text("#rows td:nth-child(6)"))
    wait.until("both lines", lambda: page.run("document.querySelectorAll('#plot-rate .line').length") == 2)
    other = lab.replica(relay).wait_online()
    wait.equal("another one", lambda: set(page.rows()), {replica.port, other.port})

    replica.pause()
    wait.until("it is behind", lambda: page.rows()[replica.port] in ("behind", "silent"), seconds=40)
    wait.equal("the other is not", lambda: page.rows()[other.port], "online")
    wait.equal("the mood", page.mood, "warning")
    wait.until("and the page says which", lambda: f":{replica.port} is behind by" in page.text("#findings"))
    wait.equal("those that need a look come first", lambda: next(iter(page.rows())), replica.port)
    replica.resume()
    wait.equal("it catches up", page.mood, "ok", seconds=40)

    other.stop()
    wait.equal("it leaves", page.rows, {replica.port: "online"})
    assert page.complaints() == []


def test_survives_a_restart_of_the_relay(lab, driver):
    origin = lab.origin()
    load.fill(origin, rounds=3)
    relay = lab.relay(origin, http=True).wait_link()
    replica = lab.replica(relay).wait_online()
    page = Page(driver, relay)
    wait.equal("it is listed", lambda: set(page.rows()), {replica.port})
    assert page.complaints() == []
    points = wait.until("a few samples", lambda: page.run("state.points.length"), lambda n: n >= 3)
    relay.stop()
    wait.equal("the page says so", lambda: page.text("#verdict"), "Connection lost")
    assert "does not answer" in page.text("#lost")
    assert "connection lost" in page.run("document.title")
    relay.start()
    wait.equal("it is back", page.mood, "ok")
    assert page.text("#lost") == ""
    wait.equal("with its replica", page.rows, {replica.port: "online"})
    assert page.run("state.points.length") >= points  # the plots go on from what they had

    origin.stop()
    wait.equal("it tells of the primary", page.findings, ["link_down"])
    assert page.mood() == "problem"
    assert "Check that the primary runs" in page.text("#findings")


def test_small_dark_and_hostile(lab, driver):
    """On a phone and in the dark it can be read; what a replica says of itself stays text."""
    origin = lab.origin()
    load.fill(origin, rounds=2)
    relay = lab.relay(origin, http=True).wait_link()
    replica = lab.replica(
        relay, **{"replica-announce-ip": "a-name-of-more-than-common-length.region.example"}
    ).wait_online()
    page = Page(driver, relay)
    wait.equal("it is listed", page.rows, {replica.port: "online"})
    markup = "<img src=x onerror=close()>"
    # From now on the page is told this, whatever the relay says.
    page.driver.execute_script(
        """const [markup] = arguments, ask = fetchStatus;
        fetchStatus = async () => {
          const status = await ask();
          Object.assign(status.replicas.list[0], {address: markup, version: markup});
          Object.assign(status.upstream, {host: markup, software: markup, state: markup, ack: markup});
          status.findings = [{name: markup, severity: "warning", what: markup, advice: markup}];
          return status;
        };""",
        markup,
    )
    wait.equal("it is shown", lambda: page.text("#findings strong"), markup)
    assert markup in page.text("#rows th")
    assert page.run("document.images.length") == 0
    page = Page(driver, relay)
    wait.equal("it is listed", page.rows, {replica.port: "online"})

    page.shape(360, 740)
    assert page.run("document.documentElement.scrollWidth") <= 360
    light = page.run("getComputedStyle(document.body).backgroundColor")
    page.shape(360, 740, dark=True)
    dark = page.run("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    for selector in TEXTS:
        assert contrast(page, selector) >= 4.5, selector
    page.shape(1200, 1000)
    for selector in TEXTS:
        assert contrast(page, selector) >= 4.5, selector
    # For those who do not see it.
    assert page.run("document.documentElement.lang") == "en"
    assert page.run("document.querySelectorAll('h1').length") == 1
    assert page.run("[...document.querySelectorAll('[role=img]')].every((one) => one.getAttribute('aria-label'))")
    assert page.run("document.querySelectorAll('thead th[scope=col]').length") == 8
    assert page.complaints() == []


def contrast(page, selector):
    """Between a text and what is behind it, as WCAG counts it."""
    return page.run(
        """(() => {
          const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
          const light = (colour) => {
            const [r, g, b] = parts(colour).map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const element = document.querySelector('%s');
          let ground = element;
          while (ground && (parts(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
          const [a, b] = [light(getComputedStyle(element).color), light(getComputedStyle(ground).backgroundColor)];
          return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        })()"""
        % selector
    )
