"""`slipway runs report`: the page in a real browser."""
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import Browser

HOSTILE = "</script><img src=x onerror=alert(1)><script>alert(2)</script>"
JUNIT = """<testsuite name="unit"><testcase classname="parser.Numbers" name="adds" time="0.01"/>
<testcase classname="parser.Numbers" name="{hostile}" time="0.2"><failure message="expected 2, got 3">at parser.c:12
{hostile}</failure></testcase></testsuite>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def workflow(slipway, jobs):
    return slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [
        {"image": "host", "network": "none", "timeout": "50s", **job} for job in jobs]}}))


def everything(slipway):
    """A run with a bit of all that a page can show."""
    slipway.project.write("results.xml", JUNIT.format(hostile=escaped(HOSTILE)))
    return workflow(slipway, [
        {"name": "build", "steps": [{"name": "compile", "run": r"""
            echo '::group::Configure'; for i in $(seq 40); do echo "checking for header $i... yes"; done; echo '::endgroup::'
            printf '\033[1;32mCC\033[0m main.c\n\033[33mwarning:\033[0m unused\n'
            echo '::warning file=main.c,line=12,title=Unused::variable x is unused'
            printf '\033]0;title\007\033[2Jraw escapes\n'
            echo '%s'
            echo 'left <b>bold</b> & such' > artifact.txt""" % HOSTILE}],
         "artifacts": [{"name": "dist", "paths": ["artifact.txt"]}]},
        {"name": "test", "depends_on": ["build"], "matrix": {"axes": {"std": ["17", "20"]}}, "tests": ["results.xml"],
         "steps": [{"name": "prepare", "run": "echo ready"},
                   {"name": "unit", "run": "seq 1 300; echo 'main.c:12: error: it broke' >&2; echo '::error file=main.c,line=12::it broke'; exit 3"}]},
        {"name": "deploy", "depends_on": ["test"], "run": "echo no"},
    ])


def report(slipway, *arguments) -> Path:
    return Path(slipway("runs", "report", *arguments).expect(0).out.strip())


@pytest.fixture
def page(alone):
    alone.run(everything(alone)).expect(1)
    return report(alone, "latest", "-o", str(alone.project.path / "run.html"))


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_the_page_needs_nothing_but_itself(page, browser):
    text = page.read_text()
    for tag, attributes in Elements(text).found:
        for name in ("src", "action", "data", "srcset"):
            assert name not in attributes, (tag, attributes)
        if "href" in attributes:
            assert attributes["href"].startswith(("#", "data:image/")), attributes
        assert not any(name.startswith("on") or name == "style" for name in attributes), attributes
    browser.view(1280, 900)
    browser.open(page)
    assert [url for url in browser.requests() if not url.startswith(("file:", "about:", "data:"))] == []
    assert browser.complaints() == []


def test_what_a_job_says_is_never_markup(page, browser):
    text = page.read_text()
    assert "<img" not in text and "onerror=alert" not in re.sub(r"&lt;img.*?&gt;", "", text).replace("\\u003cimg src=x onerror=alert", "")
    browser.view(1280, 900)
    browser.open(page)
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    # The same markup that did get in would be stopped: nothing but the page's own script runs.
    assert "default-src 'none'" in text and "unsafe-inline" not in text
    browser.evaluate("""(() => { const s = document.createElement('script'); s.textContent = 'window.broken = 1';
        document.body.append(s); document.body.insertAdjacentHTML('beforeend', '<p style="color:red" onclick="1">'); })()""")
    assert browser.evaluate("window.broken") is None


def test_status_is_readable_without_a_script(page, browser):
    browser.view(1280, 900, script=False)
    browser.call("Page.navigate", url=page.as_uri())
    browser.view(1280, 900, script=True)
    browser.wait("document.readyState === 'complete'")
    text = browser.evaluate("document.body.innerText")
    for words in ("failed", "test (17)", "compile", "expected 2, got 3", "it broke", "dist", "main.c:12"):
        assert words in text, words
    assert browser.evaluate("document.getElementById('viewer').hidden")


def test_the_log_opens_at_the_first_error_with_folds_colours_and_links(page, browser):
    browser.view(1280, 900)
    browser.open(page)
    assert any("it broke" in line for line in browser.lines())
    browser.evaluate("(() => { const c = document.getElementById('job'); c.value = '0'; c.onchange(); })()")
    browser.wait("document.getElementById('rows').dataset.ready === '1' && !!document.querySelector('#rows .r.fold')")
    lines = browser.lines()
    assert any("Configure" in line and "41 lines" in line for line in lines)  # it went well: closed
    assert not any("header 7..." in line for line in lines)
    assert browser.evaluate("document.querySelector('#rows .s1.f2').textContent") == "CC"
    assert any("main.c:12" in line and "unused" in line for line in lines)
    assert any("\\x1b" in line or "^[" in line or "␛" in line or "raw escapes" in line for line in lines)
    browser.evaluate("document.querySelector('#rows .fold .x').click()")
    browser.wait("[...document.querySelectorAll('#rows .x')].some(x => x.textContent.includes('header 7...'))")
    browser.evaluate("[...document.querySelectorAll('#rows a.n')].find(a => a.textContent === '5').click()")
    assert browser.evaluate("location.hash") == "#j0s0L5"


def test_a_link_to_lines_opens_their_fold(page, browser):
    browser.view(1280, 900)
    browser.open(page, "#j0s0L20-22")
    picked = browser.evaluate("[...document.querySelectorAll('#rows .r.pick .n')].map(n => n.textContent)")
    assert picked == ["20", "21", "22"]


def test_search_finds_across_pieces_and_steps(alone, browser):
    alone.run(workflow(alone, [{"name": "job", "steps": [
        {"name": "many", "run": "seq 1 60000; echo '::group::in here'; echo 'the Needle'; echo '::endgroup::'"}, {"name": "more", "run": "echo needle two"}]}]))
    page = report(alone, "latest", "-o", str(alone.project.path / "run.html"))
    browser.view(1000, 700)
    browser.open(page)
    browser.evaluate("(() => { const f = document.getElementById('find'); f.value = 'needle'; f.oninput(); })()")
    browser.wait("document.getElementById('found').dataset.done === 'needle'")
    assert browser.evaluate("document.getElementById('found').textContent") == "1 of 2"
    browser.wait("document.querySelector('#rows mark.here')?.textContent === 'Needle'")  # its fold was opened
    browser.evaluate("document.getElementById('rows').focus()")
    browser.key("n")
    browser.wait("document.getElementById('found').textContent === '2 of 2'")


@pytest.mark.parametrize("width,dark", [(1280, False), (1280, True), (360, False), (360, True)])
def test_it_fits_wide_and_narrow_light_and_dark(page, browser, width, dark):
    browser.view(width, 800, dark=dark)
    browser.open(page)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    # Text against its ground: at least 4.5 to 1, wherever text is.
    worst = browser.evaluate("""(() => {
        const light = c => { const v = c.map(x => x / 255).map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
                             return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
        const rgba = t => { const m = t.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
        let worst = [99, ''];
        for (const e of document.querySelectorAll('h1 span, dd, dt, h2, td, th, .name, .end, .soft, .tag, li, .what, .took, .note, nav a')) {
            if (!e.textContent.trim() || !e.getClientRects().length) continue;
            let ground = [255, 255, 255];
            for (let p = e; p; p = p.parentElement) { const c = rgba(getComputedStyle(p).backgroundColor); if (c[3] === 1) { ground = c; break; } }
            const a = light(rgba(getComputedStyle(e).color).slice(0, 3)), b = light(ground.slice(0, 3));
            const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
            if (ratio < worst[0]) worst = [ratio, e.className + ': ' + e.textContent.slice(0, 40)];
        }
        return worst; })()""")
    assert worst[0] >= 4.5, worst
    if shots := os.environ.get("SLIPWAY_SHOTS"):
        browser.shot(Path(shots) / f"report-{width}-{'dark' if dark else 'light'}.png")


def test_a_run_that_goes_on_is_a_snapshot(alone, browser):
    running = alone.start("run", alone.project.job(run="echo begun; while :; do sleep 0.1; done"))
    running.wait_for(r"\| begun")
    page = report(alone, "latest", "-o", str(alone.project.path / "run.html"))
    browser.view(1000, 700)
    browser.open(page)
    assert any("begun" in line for line in browser.lines())
    running.signal(2)
    running.ended()


def logs_in(page: Path) -> list[dict]:
    """What the script is given: a log for each attempt and service, with its steps."""
    return json.loads(re.search(r'id="index">(.*?)</script>', page.read_text(), re.DOTALL)[1])


def test_steps_of_a_run_that_goes_on_have_their_own_names(alone, browser):
    """The second of two parallel steps ends first: a list in the order of ends would show its name on the first one's log."""
    file = workflow(alone, [{"name": "job", "steps": [
        {"name": "slow", "run": "echo of slow; while :; do sleep 0.1; done", "parallel": True},
        {"name": "quick", "run": "echo of quick", "parallel": True}]}])
    running = alone.start("run", file)
    running.wait_for(r"quick ok")
    page = report(alone, "latest", "-o", str(alone.project.path / "run.html"))
    slow, quick = logs_in(page)[0]["steps"]
    assert (slow["name"], slow["end"], slow["lines"]) == ("slow", "running", 1)
    assert quick["name"] == "quick" and quick["end"].startswith("succeeded in")
    browser.view(1000, 700)
    browser.open(page)
    rows = browser.evaluate("[...document.querySelectorAll('#rows .r')].map(row => row.textContent)")
    at = [next(i for i, row in enumerate(rows) if part in row) for part in (" slow", "of slow", " quick", "of quick")]
    assert at == sorted(at), rows
    table = browser.evaluate("[...document.querySelectorAll('#jobs td.name')].map(cell => cell.textContent)")
    assert [" ".join(cell.split()[1:]) for cell in table] == ["slow running", "quick"]
    running.signal(2)
    running.ended()


def test_logs_of_services_are_on_the_page(alone, browser):
    service = {"name": "db", "image": "host", "command": ["sh", "-c", "echo the database is up; sleep 60"], "ready": {"log": "is up", "within": "20s"}}
    alone.run(workflow(alone, [{"name": "job", "services": [service], "run": "echo done"}])).expect(0)
    page = report(alone, "latest", "-o", str(alone.project.path / "run.html"))
    assert [log["name"] for log in logs_in(page)] == ["job", "job / db"]
    assert re.search(r"service db: slipway logs \S+ job --service db\n", alone("runs", "view").expect(0).out)
    browser.view(1000, 700)
    browser.open(page)
    browser.evaluate("[...document.querySelectorAll('#jobs a[data-log]')].find(a => a.textContent.includes('service db')).click()")
    browser.wait("[...document.querySelectorAll('#rows .r')].some(row => row.textContent.includes('the database is up'))")


def test_standard_output_and_errors(alone):
    alone.run(alone.project.job(run="echo hi")).expect(0)
    assert alone("runs", "report", "-o", "-").expect(0).out.startswith("<!doctype html>")
    alone("runs", "report", "nope").expect(2)
    assert not list(alone.project.path.glob("*.part"))
