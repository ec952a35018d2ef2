"""Lifecycle hooks and plugins: around the steps of a job, in its sandbox, from job code only."""
import json
import shutil
import signal

import pytest

from harness import wait_until

PHASES = ["pre_validation", "post_validation", "pre_source_prep", "post_source_prep", "pre_container", "post_container", "on_error", "cleanup"]
needs_python = pytest.mark.skipif(shutil.which("python3") is None, reason="plugins run in the host's python3")


def with_hooks(slipway, run="echo step", hooks=None, **keys) -> str:
    hooks = hooks if hooks is not None else [{"phase": phase, "run": f"echo {phase}"} for phase in PHASES]
    return slipway.project.job(run=run, keys={"hooks": hooks} | keys)


def outcomes_of_steps(ran) -> dict[str, str]:
    return {step["name"]: step["outcome"] for step in ran.job("job")["steps"]}


def reason_of(ran) -> str:
    return ran.of("job_finished")[-1]["reason"]


def plugin(slipway, text: str, name: str = "plugin_one.py", directory: str = ".slipway/plugins") -> None:
    slipway.project.write(f"{directory}/{name}", "from slipway.plugins import Plugin\n" + text)


# --- order ---

def test_the_phases_surround_the_steps(slipway):
    ran = slipway.run(with_hooks(slipway)).expect(0)
    assert ran.output().split() == [*PHASES[:5], "step", "post_container", "cleanup"]
    assert outcomes_of_steps(ran)["hook on_error"] == "skipped"


def test_an_error_has_a_phase_of_its_own_and_cleanup_comes_in_any_case(slipway):
    ran = slipway.run(with_hooks(slipway, run="echo step; exit 7")).expect(1)
    assert ran.output().split() == [*PHASES[:5], "step", "post_container", "on_error", "cleanup"]
    assert ran.job("job")["exit_code"] == 7, "the step decided, not the hooks"


def test_hooks_are_shown_where_they_ran(alone):
    order = ["hook pre_container", "run", "hook post_container", "hook on_error", "hook cleanup"]
    hooks = [{"phase": order_name.split()[1], "run": "true"} for order_name in order if order_name != "run"]
    ran = alone.run(with_hooks(alone, hooks=hooks)).expect(0)
    assert [step["name"] for step in ran.job("job")["steps"]] == order
    shown = alone("runs", "view", "latest").expect(0).out
    places = [shown.index(f" {name}  ") for name in order]
    assert places == sorted(places), shown
    assert "skipped: nothing failed" in shown
    steps = json.loads(alone("runs", "view", "latest", "--json").expect(0).out)["jobs"][0]["attempts"][0]["steps"]
    assert [step["name"] for step in steps] == order
    began = [step["started_at"] for step in steps if "started_at" in step]
    assert len(began) == 4 and began == sorted(began), "what was skipped never began"
    page = alone("runs", "report", "latest", "-o", "-").expect(0).out
    for part in (page[page.index('id="jobs"'):page.index('id="timeline"')], page[page.index('id="index"'):]):
        places = [part.index(name) for name in (f">{name}<" if "<table" in part else f'"{name}"' for name in order)]
        assert places == sorted(places)


def test_smaller_priorities_run_first(slipway):
    hooks = [{"phase": "pre_container", "run": f"echo {n}", "priority": n} for n in (200, 5)] + [{"phase": "pre_container", "run": "echo default"}]
    assert slipway.run(with_hooks(slipway, hooks=hooks)).expect(0).output().split() == ["5", "default", "200", "step"]


def test_steps_that_start_at_once_or_always_wait_for_the_hooks_before_them(slipway):
    file = slipway.project.workflow("""
        workflow:
          name: ci
          jobs:
            - name: job
              image: host
              network: none
              hooks: [{phase: pre_container, run: sleep 0.3; echo hook}, {phase: post_container, run: echo behind}]
              steps:
                - {name: a, run: echo a, depends_on: []}
                - {name: b, run: sleep 0.2; echo b, parallel: true}
                - {name: c, run: sleep 0.2; echo c, parallel: true, condition: always}
        """)
    lines = slipway.run(file).expect(0).output().split()
    assert lines[0] == "hook" and lines[-1] == "behind" and set(lines[1:-1]) == {"a", "b", "c"}


# --- what a hook gets and gives ---

def test_a_hook_gets_the_context_and_changes_what_comes_behind(slipway):
    hooks = [
        {"phase": "post_source_prep", "run": """cat >/job/context; cmp /job/context "$SLIPWAY_HOOK_CONTEXT"
echo '{"env": {"WHO": "hook", "OWN": "hook", "PATH": "/opt/x:/usr/bin:/bin"}}' >"$SLIPWAY_HOOK_CHANGES" """},
        {"phase": "post_container", "run": 'echo "behind $WHO"'}]
    ran = slipway.run(with_hooks(slipway, hooks=hooks, run='cat /job/context; echo; echo "$WHO $JOB_OWN $(command -v slipway)"', env={"WHO": "job", "JOB_OWN": "kept"})).expect(0)
    context, line = ran.output(step="run").splitlines()
    context = json.loads(context)
    assert (context["phase"], context["job"], context["source"], context["workspace"], context["cancelled"], context["error"]) == (
        "post_source_prep", "job", "/job/src", "/job", False, None)
    assert line.startswith("hook kept /") and ran.output(step="hook post_container") == "behind hook\n"


def test_outputs_and_vars_of_a_hook_are_the_jobs(slipway):
    changes = """echo '{"outputs": {"version": "1.2"}, "vars": {"v": 3, "half": 1.5}}' >"$SLIPWAY_HOOK_CHANGES" """
    host = {"image": "host", "network": "none"}
    ran = slipway.run(slipway.project.workflow(json.dumps({"workflow": {"name": "ci", "jobs": [
        host | {"name": "job", "outputs": ["version"], "hooks": [{"phase": "post_container", "run": changes}], "run": "true"},
        host | {"name": "next", "depends_on": ["job"], "run": 'echo "$VERSION $VARS"',
                "env": {"VERSION": "{{ outputs.job.version }}", "VARS": "{{ vars }}"}}]}}))).expect(0)
    version, given = ran.output("next").split(maxsplit=1)
    given = json.loads(given)
    assert (version, given["v"], given["half"]) == ("1.2", "3", "1.5"), ran


def test_a_later_context_says_how_it_went(slipway):
    ran = slipway.run(with_hooks(slipway, run="exit 3", hooks=[{"phase": "on_error", "run": "cat"}])).expect(1)
    context = json.loads(ran.output(step="hook on_error"))
    assert context["steps"] == [{"name": "run", "phase": "steps", "outcome": "failed", "exit_code": 3, "reason": "exit code 3"}] and "exit code 3" in context["error"]


@pytest.mark.parametrize("answer, why", [
    ("{", "refused"), ("[]", "refused"), ('{"command": "rm"}', "`command` is nothing that a hook changes"),
    ('{"env": {"SLIPWAY_SOCKET": "/x"}}', "no hook changes"), ('{"env": {"A": {}}}', "must be a text, number or boolean, not an object"), ('{"outputs": {"a b": "1"}}', "a name has letters")])
def test_broken_changes_fail_the_job(slipway, answer, why):
    hooks = [{"phase": "pre_container", "run": f"""printf '%s' '{answer}' >"$SLIPWAY_HOOK_CHANGES" """}]
    ran = slipway.run(with_hooks(slipway, hooks=hooks)).expect(1)
    assert outcomes_of_steps(ran) == {"run": "skipped", "hook pre_container": "failed"}
    assert why in reason_of(ran), ran


def test_changes_without_end_are_refused_and_nothing_hangs(slipway):
    hooks = [{"phase": "pre_container", "run": """yes | head -c 3000000 >"$SLIPWAY_HOOK_CHANGES"; echo written"""}]
    ran = slipway.run(with_hooks(slipway, hooks=hooks)).expect(1)
    assert "written" in ran.output() and "over 1 MiB" in reason_of(ran)


def test_a_child_that_keeps_the_answer_open_holds_nobody_up(slipway):
    hooks = [{"phase": "pre_container", "run": """echo '{"env": {"A": "1"}}' >"$SLIPWAY_HOOK_CHANGES"; sleep 50 & true"""}]
    assert slipway.run(with_hooks(slipway, run='echo "a$A"', hooks=hooks)).expect(0).output(step="run") == "a1\n"


# --- failing, hanging, ending ---

@pytest.mark.parametrize("phase", PHASES)
def test_a_hook_that_fails_fails_the_job(slipway, phase):
    hooks = [{"phase": phase, "run": "exit 4"}, {"phase": "cleanup", "run": "echo cleaned", "priority": 1}]
    run = "exit 3" if phase == "on_error" else "echo step"
    ran = slipway.run(with_hooks(slipway, run=run, hooks=hooks)).expect(1)
    assert ran.job("job")["outcome"] == "failed" and "cleaned" in ran.output()
    before = phase in PHASES[:5]
    assert outcomes_of_steps(ran)["run"] == ("skipped" if before else "failed" if phase == "on_error" else "succeeded")
    assert ran.job("job")["exit_code"] == (3 if phase == "on_error" else 4), "the first failure decides"


def test_steps_that_were_never_reached_have_nothing_behind_them(slipway):
    hooks = [{"phase": "pre_validation", "run": "exit 1"}, {"phase": "post_container", "run": "echo behind"}, {"phase": "on_error", "run": "echo error"}]
    ran = slipway.run(with_hooks(slipway, hooks=hooks)).expect(1)
    assert ran.output() == "error\n" and outcomes_of_steps(ran)["hook post_container"] == "skipped"


def test_a_hook_that_hangs_is_ended(slipway):
    hooks = [{"phase": "pre_container", "run": "sleep 50", "timeout": "300ms"}, {"phase": "cleanup", "run": "echo cleaned"}]
    ran = slipway.run(with_hooks(slipway, hooks=hooks)).expect(124)
    assert outcomes_of_steps(ran)["hook pre_container"] == "timed_out" and ran.output() == "cleaned\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_error_and_cleanup_run_also_when_slipway_is_told_to_end(slipway, number):
    hooks = [{"phase": phase, "run": f"echo {phase} is there"} for phase in ("post_container", "on_error", "cleanup")]
    running = slipway.start("run", with_hooks(slipway, run="echo begun; sleep 50", hooks=hooks))
    running.wait_for("begun")
    running.signal(number)
    ended = running.ended(20)
    assert ended.code == 128 + number and "on_error is there" in ended.out and "cleanup is there" in ended.out and "post_container is there" not in ended.out


def test_a_step_that_ignores_its_end_leaves_them_time(slipway):
    running = slipway.start("run", with_hooks(slipway, run="trap '' TERM INT; echo begun; while :; do sleep 0.1; done",
                                              hooks=[{"phase": "cleanup", "run": "echo cleaned"}]))
    running.wait_for("begun")
    running.signal(signal.SIGTERM)
    assert "cleaned" in running.ended(25).out


def test_they_run_when_the_job_takes_too_long_and_hang_no_longer_than_its_grace(slipway):
    hooks = [{"phase": "on_error", "run": "echo error"}, {"phase": "cleanup", "run": "echo cleaning; sleep 100; echo never"}]
    ran = slipway.run(with_hooks(slipway, run="sleep 50", hooks=hooks, timeout="1s")).expect(124)
    assert ran.output().split() == ["error", "cleaning"]


def test_a_second_signal_ends_them_too(slipway):
    running = slipway.start("run", with_hooks(slipway, run="echo begun; sleep 50", hooks=[{"phase": "cleanup", "run": "echo cleaning; sleep 50"}]))
    running.wait_for("begun")
    running.signal(signal.SIGTERM)
    running.wait_for("cleaning")
    running.signal(signal.SIGTERM)
    running.ended(8)


# --- where they come from ---

def test_a_program_of_job_code(slipway):
    slipway.project.write("ci/hook.sh", "#!/bin/sh\necho \"hook of $PWD\"\n").chmod(0o755)
    hooks = [{"phase": "pre_container", "run": "ci/hook.sh"}]
    assert slipway.run(with_hooks(slipway, hooks=hooks)).expect(0).output() == "hook of /job/src\nstep\n"
    hooks = [{"phase": "pre_container", "run": "./hook.sh"}]
    assert slipway.run(with_hooks(slipway, hooks=hooks, ci_code={"path": "ci"})).expect(0).output() == "hook of /job/ci\nstep\n"


def test_a_secret_is_masked_in_what_hooks_say_and_change(slipway):
    hooks = [{"phase": "pre_container", "run": """echo "$TOKEN"; echo "{\\"outputs\\": {\\"o\\": \\"$TOKEN\\"}}" >"$SLIPWAY_HOOK_CHANGES" """},
             {"phase": "on_error", "run": "cat"}]
    ran = slipway.run(with_hooks(slipway, run="exit 1", hooks=hooks, secrets=["TOKEN"]), "--secret", "TOKEN", env={"TOKEN": "s3cret-value-1"}).expect(1)
    assert ran.output(step="hook pre_container") == "***\n" and "s3cret-value-1" not in ran.out
    assert "s3cret-value-1" not in slipway("runs", "view", "--json").out


def test_the_plan_shows_them(slipway):
    file = with_hooks(slipway, hooks=[{"phase": "cleanup", "run": "ci/clean.sh", "timeout": "7s"}])
    shown = slipway("plan", "--resolved", file).expect(0).out
    assert "hook cleanup" in shown and "phase: cleanup" in shown and "7s" in shown
    bad = slipway("lint", with_hooks(slipway, hooks=[{"phase": "clean_up", "run": "x"}])).expect(2)
    assert "cleanup" in bad.out + bad.err


# --- plugins ---

ALL = "class Tell(Plugin):\n" + "".join(f"    def {phase}(self, context): print(context['phase'], flush=True)\n" for phase in PHASES)


@needs_python
@pytest.mark.parametrize("directory", [".slipway/plugins", ".reactorcide/plugins"])
def test_plugins_take_part_in_the_phases_that_they_name(slipway, directory):
    plugin(slipway, ALL, directory=directory)
    ran = slipway.run(slipway.project.job(run="echo step")).expect(0)
    assert [line for line in ran.output().split("\n") if line and not line.startswith("plugin ")] == [*PHASES[:5], "step", "post_container", "cleanup"]


@needs_python
def test_plugins_run_by_priority_and_change_the_environment(slipway):
    for name, priority in (("late", 200), ("early", 5), ("usual", 100)):
        plugin(slipway, f"""
class P(Plugin):
    def __init__(self): super().__init__("{name}", priority={priority})
    def pre_container(self, context): return {{"env": {{"LAST": self.name, "{name}": 1}}}}
""", f"plugin_{name}.py")
    ran = slipway.run(slipway.project.job(run='echo "$LAST $late$early$usual"')).expect(0)
    assert ran.output() == "plugin early\nplugin usual\nplugin late\nlate 111\n"


@needs_python
@pytest.mark.parametrize("body, outcome, code", [
    ("raise ValueError('broken')", "failed", 1), ("import sys; sys.exit(9)", "failed", 1), ("import os; os._exit(3)", "failed", 1),
    ("return {'command': {}}", "failed", 1), ("return 7", "failed", 1),
    ("open(__import__('os').environ['SLIPWAY_HOOK_CHANGES'], 'w').write('{broken')", "failed", 1)])
def test_plugins_that_fail_fail_the_job(slipway, body, outcome, code):
    plugin(slipway, f"class P(Plugin):\n    def post_validation(self, context):\n        {body}\n")
    ran = slipway.run(slipway.project.job(run="echo step")).expect(code)
    assert ran.job("job")["outcome"] == outcome and outcomes_of_steps(ran)["run"] == "skipped", ran


@needs_python
def test_a_plugin_that_is_no_python_fails_the_job(slipway):
    slipway.project.write(".slipway/plugins/plugin_bad.py", "this is no python: cleanup\n")
    ran = slipway.run(slipway.project.job(run="echo step")).expect(1)
    assert "SyntaxError" in ran.output() and outcomes_of_steps(ran)["plugins cleanup"] == "failed"


@needs_python
def test_plugins_print_secrets_masked(slipway):
    plugin(slipway, "import os\nclass P(Plugin):\n    def cleanup(self, context): print(os.environ['TOKEN']); raise RuntimeError(os.environ['TOKEN'])\n")
    ran = slipway.run(slipway.project.job(run="echo step", keys={"secrets": ["TOKEN"]}), "--secret", "TOKEN", env={"TOKEN": "s3cret-value-1"}).expect(1)
    assert "s3cret-value-1" not in ran.out and "***" in ran.output()


@needs_python
def test_plugins_are_of_job_code_and_not_of_source_beside_it(slipway):
    plugin(slipway, ALL)
    slipway.project.write("ci/.slipway/plugins/plugin_mine.py", "from slipway.plugins import Plugin\nclass Mine(Plugin):\n    def cleanup(self, context): print('mine')\n")
    ran = slipway.run(slipway.project.job(run="echo step", keys={"ci_code": {"path": "ci"}})).expect(0)
    assert ran.output() == "step\nplugin Mine\nmine\n"


def test_no_plugin_no_step(slipway):
    slipway.project.write(".slipway/plugins/helper.py", "cleanup")
    ran = slipway.run(slipway.project.job(run="echo step")).expect(0)
    assert outcomes_of_steps(ran) == {"run": "succeeded"}


def test_a_plugin_that_is_a_link_is_refused(slipway):
    slipway.project.write("x", "cleanup")
    (slipway.project.path / ".slipway/plugins").mkdir(parents=True)
    (slipway.project.path / ".slipway/plugins/plugin_x.py").symlink_to("/etc/passwd")
    ran = slipway.run(slipway.project.job(run="echo step"))
    assert ran.code != 0 and "plugin" in reason_of(ran), ran
