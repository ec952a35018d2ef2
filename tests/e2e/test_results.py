"""Log groups, annotations, test results and advice: what makes a run readable."""
import json

import pytest

BACKENDS = ["native", "docker"]

PASSING = '<testsuite name="unit"><testcase name="adds" time="0.5"/><testcase name="parses" time="0.1"/></testsuite>'
FAILING = '<testsuite name="unit"><testcase name="adds" time="0.5"/><testcase name="parses" time="0.1"><failure message="expected 2, got 3">at parser.c:12</failure></testcase></testsuite>'


def run_with(slipway, xml, **keys):
    slipway.project.write("results.xml", xml)
    return slipway.run(slipway.project.job(run="true", keys={"tests": ["results.xml"], **keys}))


def results_of(slipway, *arguments):
    return json.loads(slipway("runs", "tests", *arguments, "--json").expect(0).out)


# --- groups ---

GROUPS = r"""
echo before
echo '::group::Build'; echo compiling; echo '::endgroup::'
printf '\033[0Ksection_start:1700000000:unit[collapsed=true]\r\033[0KUnit tests\n'; echo testing
printf '\033[0Ksection_end:1700000001:unit\r\033[0K\n'
echo '--- Package'; echo packing
echo '+++ Publish'; echo publishing
"""


def test_groups_of_other_systems_read_as_headers(slipway):
    run = slipway.run(slipway.project.job(run=GROUPS)).expect(0).finished["run"]
    text = slipway("logs", run, "job", "--step", "run").expect(0).out
    assert text.splitlines() == ["before", "▸ Build", "compiling", "▸ Unit tests", "testing", "▸ Package", "packing", "▸ Publish", "publishing"]
    raw = slipway("logs", run, "job", "--step", "run", "--raw").expect(0).out
    assert "::group::Build" in raw and "::endgroup::" in raw
    shown = slipway("run", slipway.project.job(run=GROUPS)).expect(0).out
    assert "job | ▸ Build" in shown and "endgroup" not in shown


def test_json_keeps_the_line_and_names_its_group(slipway):
    ran = slipway.run(slipway.project.job(run=GROUPS)).expect(0)
    groups = {event["text"]: event.get("group") for event in ran.of("output")}
    assert groups["before"] is None and groups["compiling"] == "Build" and groups["testing"] == "Unit tests"
    assert groups["::group::Build"] == "Build" and groups["publishing"] == "Publish"
    logged = [json.loads(line) for line in slipway("logs", ran.finished["run"], "--json").expect(0).out.splitlines()]
    assert {event["text"]: event.get("group") for event in logged} == groups


def test_one_group_can_be_asked_for(slipway):
    run = slipway.run(slipway.project.job(run=GROUPS)).expect(0).finished["run"]
    assert slipway("logs", run, "job", "--step", "run", "--group", "Build").expect(0).out == "▸ Build\ncompiling\n"
    assert "did you mean `Build`" in slipway("logs", run, "--group", "Biuld").expect(2).err


def test_groups_of_the_command_fold_like_printed_ones(slipway):
    run = slipway.run(slipway.project.job(run="slipway group start Mine; echo inside; slipway group end; echo outside")).expect(0).finished["run"]
    assert slipway("logs", run, "job", "--step", "run").expect(0).out == "▸ Mine\ninside\noutside\n"
    assert slipway("logs", run, "job", "--step", "run", "--group", "Mine").expect(0).out == "▸ Mine\ninside\n"


# --- annotations and masks ---

@pytest.mark.parametrize("backend", BACKENDS)
def test_annotations_are_in_summary_view_and_json(slipway):
    file = slipway.project.job(run="echo '::error file=main.c,line=12,col=3,title=Broken::50%25 of it%0Afailed'; echo '::warning::low disk'; exit 1")
    ran = slipway.run(file).expect(1)
    error, warning = ran.of("annotation")
    assert (error["level"], error["file"], error["line"], error["column"]) == ("error", "main.c", 12, 3)
    assert error["message"] == "50% of it\nfailed" and warning["message"] == "low disk"
    shown = slipway("run", file).expect(1).out
    assert shown.count("error: main.c:12:3: Broken: 50% of it failed") >= 1 and "low disk" in shown
    assert "error: main.c:12:3" in slipway("runs", "view", "latest").expect(0).out
    viewed = json.loads(slipway("runs", "view", "latest", "--json").expect(0).out)
    assert viewed["jobs"][0]["attempts"][0]["annotations"][0]["column"] == 3


def test_a_mask_that_is_printed_holds_for_its_own_line_and_all_after(slipway):
    ran = slipway.run(slipway.project.job(run=r"""
        printf '::add-mask::swordfi'; sleep 0.3; printf 'sh-9000\n'
        echo the word is swordfish-9000""")).expect(0)
    assert "swordfish" not in ran.out and "the word is ***" in ran.output()
    assert "::add-mask::***" in ran.output()


def test_stop_commands_stops_them_until_its_token(slipway):
    ran = slipway.run(slipway.project.job(run="echo ::stop-commands::t0k; echo ::error::printed; echo ::t0k::; echo ::error::meant")).expect(0)
    assert [event["message"] for event in ran.of("annotation")] == ["meant"]


@pytest.mark.many_ids
def test_output_of_source_folds_but_is_not_obeyed(slipway):
    file = slipway.project.job(steps=[])
    slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [{"name": "job", "image": "host", "network": "none", "steps": [
        {"name": "theirs", "run_as": "source", "run": "echo ::group::fold; echo ::error::forged; echo ::add-mask::nothing-to-hide; echo nothing-to-hide; echo ::endgroup::"}]}]}}))
    ran = slipway.run(file).expect(0)
    assert ran.of("annotation") == [] and "nothing-to-hide" in ran.output()
    logged = slipway("logs", ran.finished["run"], "job", "--step", "theirs").expect(0).out
    assert "▸ fold" in logged and "::error::forged" in logged


def test_a_flood_of_annotations_is_cut_and_said(slipway):
    ran = slipway.run(slipway.project.job(run="yes ::error::x | head -n 12000"), timeout=60).expect(0)
    assert len(ran.of("annotation")) == 10_000
    assert any(event["code"] == "many_annotations" for event in ran.of("notice"))
    attempt = json.loads(slipway("runs", "view", "latest", "--json").expect(0).out)["jobs"][0]["attempts"][0]
    assert len(attempt["annotations"]) == 10_000 and "left_out" not in attempt
    shown = slipway("runs", "view", "latest").expect(0).out
    assert "more: --json has them" in shown and shown.count("error: x") == 100
    assert "... and 9000 more" in slipway("runs", "report", "latest", "-o", "-").expect(0).out


def test_an_allowed_failure_is_shown_as_one(slipway):
    steps = [{"name": "lint", "run": "exit 4", "continue_on_error": True}, {"name": "unit", "run": "exit 3"}, {"name": "never", "run": "true"}]
    slipway.run(slipway.project.job(keys={"steps": steps})).expect(1)
    lint, unit, never = [line.split() for line in slipway("runs", "view", "latest").expect(0).out.splitlines() if line.startswith("    ") and line.split()[1] in ("lint", "unit", "never")]
    assert lint[0] == "⚠" and "(allowed)" in lint and unit[0] == "✗"
    assert never == ["↷", "never", "skipped:", "step", "`unit`", "failed"]
    steps = json.loads(slipway("runs", "view", "latest", "--json").expect(0).out)["jobs"][0]["attempts"][0]["steps"]
    assert [step.get("failure_allowed") for step in steps] == [True, None, None] and steps[2]["reason"] == "step `unit` failed"


# --- tests ---

@pytest.mark.parametrize("backend", BACKENDS)
def test_junit_files_become_results(alone):
    ran = run_with(alone, FAILING).expect(0)  # what the tests say decides nothing: the command's exit code does
    assert ran.finished["tests"] == {"passed": 1, "failed": 1, "skipped": 0, "new_failures": 1, "flaky": 0}
    results = results_of(alone, "latest")
    assert [(test["name"], test["outcome"]) for test in results["tests"]] == [("parses", "failed"), ("adds", "passed")]
    assert results["tests"][0]["text"] == "at parser.c:12"
    assert "  tests: 1 passed, 1 failed (1 new): slipway runs tests" in alone("runs", "view").expect(0).out
    text = alone("runs", "tests").expect(0).out
    assert "1 passed, 1 failed (1 new)" in text and "expected 2, got 3" in text and "at parser.c:12" in text
    assert "tests: 1 passed, 1 failed" in alone("run", alone.project.job(run="true", keys={"tests": ["results.xml"]})).expect(0).out


def test_new_failures_are_told_from_those_of_the_branch_before(alone):
    run_with(alone, PASSING)
    assert run_with(alone, FAILING).finished["tests"]["new_failures"] == 1
    assert run_with(alone, FAILING).finished["tests"]["new_failures"] == 0
    assert results_of(alone, "--failed")["tests"][0]["new_failure"] is False


def test_flaky_is_what_passes_and_fails_on_one_commit(alone):
    alone.project.write("results.xml", PASSING)
    file = alone.project.job(run="""test -z "$BREAK" || sed -i 's|<testcase name="adds" time="0.5"/>|<testcase name="adds"><failure/></testcase>|' results.xml""",
                             keys={"tests": ["results.xml"]})
    alone.project.commit()
    alone.run(file, "--commit", "HEAD").expect(0)
    alone.run(file, "--commit", "HEAD", "-e", "BREAK=1").expect(0)
    result = results_of(alone)
    assert (result["failed"], result["flaky"]) == (1, 1)
    (flaky,) = results_of(alone, "--flaky")["tests"]
    assert flaky["name"] == "adds" and "same commit" in flaky["flaky_because"]


def test_a_retry_that_passes_is_flaky(alone):
    alone.project.write("results.xml", PASSING)
    file = alone.project.job(run=r"""
        if [ "$SLIPWAY_ATTEMPT" = 1 ]; then sed -i 's|<testcase name="adds" time="0.5"/>|<testcase name="adds"><failure/></testcase>|' results.xml; exit 1; fi""",
        keys={"tests": ["results.xml"], "retry": {"attempts": 1, "on": ["failed"], "backoff": "1ms"}})
    ran = alone.run(file).expect(0)
    assert ran.finished["tests"] == {"passed": 2, "failed": 0, "skipped": 0, "new_failures": 0, "flaky": 1}


def test_the_slowest_come_first(alone):
    run_with(alone, PASSING)
    assert [test["name"] for test in results_of(alone, "--slowest")["tests"]] == ["adds", "parses"]


@pytest.mark.parametrize("content,said", [
    ("<testsuite><testcase name='a'>", "no element found"),
    ("not xml", "syntax error"),
    ("<html/>", "not a JUnit file"),
    ("<!DOCTYPE t [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><testsuite name='&b;'/>", "document type declaration is refused"),
    ("<!DOCTYPE t SYSTEM 'file:///etc/passwd'><testsuite/>", "document type declaration is refused"),
    ("<testsuite>" + "<x>" * 500, "nested too deeply"),
])
def test_a_bad_file_is_an_annotation_and_no_more(slipway, content, said):
    ran = run_with(slipway, content).expect(0)
    (annotation,) = ran.of("annotation")
    assert said in annotation["message"] and annotation["file"] == "results.xml", annotation


def test_links_fifos_and_floods_are_not_read(slipway):
    slipway.project.write("good.xml", PASSING)
    ran = slipway.run(slipway.project.job(run=r"""
        ln -s /etc/passwd link.xml; mkfifo fifo.xml; mkdir dir.xml
        ln -s ../.. up""", keys={"tests": ["*.xml", "up/**/*.xml"]})).expect(0)
    assert ran.finished["tests"]["passed"] == 2
    assert all("not read" in event["message"] for event in ran.of("annotation"))
    huge = slipway.run(slipway.project.job(run="head -c 100M /dev/zero | tr '\\0' ' ' > big.xml", keys={"tests": ["big.xml"]}), timeout=60).expect(0)
    assert "tests" not in huge.finished and huge.of("annotation")[0]["title"] == "tests"


def test_no_file_is_said_and_secrets_are_masked(slipway):
    ran = slipway.run(slipway.project.job(run="true", keys={"tests": ["nowhere/*.xml"]})).expect(0)
    assert "no file" in ran.of("annotation")[0]["message"]
    ran = slipway.run(slipway.project.job(run="""
        echo "<testsuite><testcase name='x $WORD'><failure message='$WORD'>got $WORD</failure></testcase></testsuite>" > r.xml""",
        keys={"tests": ["r.xml"], "secrets": ["WORD"]}), "-s", "WORD", env={"WORD": "swordfish-9000"}).expect(0)
    shown = slipway("runs", "tests", ran.finished["run"], "--json").expect(0).out
    assert "swordfish" not in shown and "x ***" in shown
    assert "swordfish" not in slipway("runs", "report", ran.finished["run"], "-o", "-").expect(0).out


def test_twenty_thousand_results_and_no_more(slipway):
    ran = slipway.run(slipway.project.job(run=r"""
        { echo '<testsuite>'; seq -f "<testcase name='case %.0f' time='0.001'/>" 1 25000; echo '</testsuite>'; } > many.xml""",
        keys={"tests": ["many.xml"]}), timeout=60).expect(0)
    assert ran.finished["tests"]["passed"] == 20_000
    assert "left out" in ran.of("annotation")[0]["message"]


def test_results_go_with_their_run(alone):
    run = run_with(alone, FAILING).finished["run"]
    alone("runs", "rm", run, "--yes").expect(0)
    assert run_with(alone, FAILING).finished["tests"]["new_failures"] == 1


# --- resources ---

@pytest.mark.limit("memory")
def test_limits_that_are_far_off_are_told(alone):
    alone.run(alone.project.job(run="head -c 64M /dev/zero | tail -c 1 > /dev/null; sleep 0.3", keys={"resources": {"memory": "4GiB", "cpu": 2}})).expect(0)
    text = alone("runs", "view", "latest").expect(0).out
    assert "memory: asked for 4" in text and "would do" in text
    attempt = json.loads(alone("runs", "view", "latest", "--json").expect(0).out)["jobs"][0]["attempts"][0]
    assert attempt["memory_limit_bytes"] == 4 << 30 and any("would do" in advice for advice in attempt["advice"])


def test_a_secret_across_a_cut_leaves_no_part_of_itself(alone):
    """A test's message is the first 300 bytes of its text: what ends within a secret there is cut before it."""
    script = """
        { printf '<testsuite name="s"><testcase name="t"><failure>'; head -c 289 /dev/zero | tr '\\0' x; printf '%s</failure></testcase></testsuite>' "$KEY"; } >r.xml
        { printf '::error::'; head -c 65530 /dev/zero | tr '\\0' y; echo "$KEY"; }
    """
    file = alone.project.job(run=script, keys={"secrets": ["KEY"], "tests": ["r.xml"]})
    alone.run(file, "--secret", "KEY", env={"KEY": "open-sesame-12345"}).expect(0)
    shown = alone("runs", "tests", "--json").out + alone("runs", "view", "--json").out
    assert "xxx" in shown and "yyy" in shown and "open-" not in shown
