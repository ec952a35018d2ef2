"""The program that calls plugins, without a sandbox."""
import io
import json

import pytest

from slipway import run_plugins


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls the plugins of the given files for a phase; gives the exit code and the changes, or None."""

    def run(phase, *texts, context=None):
        files = []
        for number, text in enumerate(texts):
            path = tmp_path / f"plugin_{len(list(tmp_path.iterdir()))}_{number}.py"
            path.write_text("from slipway.plugins import Plugin\n" + text)
            files.append(str(path))
        answer = tmp_path / "changes.json"
        answer.write_text("")
        monkeypatch.setenv("SLIPWAY_HOOK_CHANGES", str(answer))
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(context or {"phase": phase})))
        code = run_plugins.main([phase, *files])
        return code, json.loads(answer.read_text() or "null")

    return run


def plugin(name, priority, body, phase="pre_container"):
    return f"class P{name}(Plugin):\n    def __init__(self): super().__init__('{name}', {priority})\n    def {phase}(self, context):\n        {body}\n"


def test_smaller_priorities_first_and_changes_add_up(call, capsys):
    code, changes = call("pre_container", plugin("late", 200, "return {'env': {'A': 'late'}}"), plugin("early", 1, "return {'env': {'A': 'early', 'B': 1}, 'vars': {'x': 'y'}}"))
    assert (code, changes) == (0, {"env": {"A": "late", "B": 1}, "vars": {"x": "y"}})
    assert capsys.readouterr().out.split() == ["plugin", "early", "plugin", "late"]


def test_a_plugin_that_takes_no_part_is_not_called(call, capsys):
    assert call("cleanup", plugin("x", 1, "return {}")) == (0, None)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("body", ["raise ValueError('no')", "return 3", "return {'command': {}}", "return {'env': 3}", "return {'env': {'A': object()}}"])
def test_what_fails_is_told_and_changes_nothing(call, capsys, body):
    code, changes = call("pre_container", plugin("bad", 1, body), plugin("never", 2, "print('never')"))
    err = capsys.readouterr()
    assert code == 1 and changes is None and "Traceback" in err.err and "never" not in err.out


def test_behind_the_steps_all_are_called_whichever_fails(call, capsys):
    code, changes = call("cleanup", plugin("bad", 1, "raise ValueError('no')", "cleanup"), plugin("good", 2, "print('called')", "cleanup"), "import nothing_of_that_name\n")
    assert code == 1 and "called" in capsys.readouterr().out


def test_a_file_may_hold_the_plugins_that_it_made(call, capsys):
    text = "class P(Plugin):\n    def cleanup(self, context): print(self.name, context['phase'])\nfirst, second = P('a', 2), P('b', 1)\n"
    assert call("cleanup", text)[0] == 0
    assert capsys.readouterr().out.splitlines() == ["plugin b", "b cleanup", "plugin a", "a cleanup"]
