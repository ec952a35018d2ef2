"""Calls the plugins of job code for one phase: `main([PHASE, FILE, ...])`, run by Slipway as a step of the job.

The context comes on standard input as JSON, changes go to the file $SLIPWAY_HOOK_CHANGES as JSON (docs/hooks.md). Exit
code 0: all went well; 1: a plugin failed, and its traceback is on standard error.
"""
from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback

from slipway._job import _text
from slipway.plugins import Plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, List

LAST = ("post_container", "on_error", "cleanup")
"""Phases in which every plugin is called, whichever fails: nobody comes after them."""

CHANGES = ("env", "outputs", "vars")


def load(path: str) -> ModuleType:
    """The module at `path`; what lies beside it can be imported by it."""
    directory, file = os.path.split(path)
    if directory not in sys.path:
        sys.path.append(directory)
    name = os.path.splitext(file)[0]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def plugins_in(module: ModuleType) -> List[Plugin]:
    """One of each class that the module itself defines; or what it made of them, where it keeps some in variables."""
    made = [value for value in vars(module).values() if isinstance(value, Plugin)]
    if made:
        return list(dict.fromkeys(made))
    classes = [value for value in vars(module).values()
               if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == module.__name__]
    plugins = []
    for one in dict.fromkeys(classes):
        try:
            plugins.append(one())
        except TypeError as error:
            if "__init__() missing" not in str(error):
                raise
            plugins.append(one(one.__name__))
    return plugins


def checked(plugin: Plugin, changes: Any) -> Dict[str, Dict[str, Any]]:
    if changes is None:
        return {}
    if not isinstance(changes, dict):
        raise TypeError(f"plugin {plugin.name} returned {type(changes).__name__}: a dict of changes, or None")
    for key, value in changes.items():
        if key not in CHANGES:
            raise ValueError(f"plugin {plugin.name} would change `{key}`: {', '.join(CHANGES)} can be changed")
        if not isinstance(value, dict):
            raise TypeError(f"plugin {plugin.name}: `{key}` maps names to values")
    return changes


def call(plugin: Plugin, phase: str, context: Dict[str, Any], changes: Dict[str, Dict[str, Any]]) -> None:
    handler = plugin.handler(phase)
    if handler is None:
        return
    print(f"plugin {plugin.name}", flush=True)
    answer = checked(plugin, handler(context))
    json.dumps(answer)  # what is no JSON is this plugin's failure
    for key, value in answer.items():
        changes.setdefault(key, {}).update(value)
        if key == "env":  # for the plugins behind it
            os.environ.update({name: _text(text) for name, text in value.items()})


def main(arguments: List[str]) -> int:
    phase, files = arguments[0], arguments[1:]
    context: Dict[str, Any] = json.load(sys.stdin)
    changes: Dict[str, Dict[str, Any]] = {}
    failed = False
    plugins: List[Plugin] = []
    for path in files:
        try:
            plugins += plugins_in(load(path))
        except Exception:
            traceback.print_exc()
            failed = True
            if phase not in LAST:
                return 1
    for plugin in sorted(plugins, key=lambda one: one.priority):  # stable: by file name where equal
        try:
            call(plugin, phase, context, changes)
        except (Exception, SystemExit):  # which would end the plugins behind it too
            traceback.print_exc()
            failed = True
            if phase not in LAST:
                return 1
    if changes and not failed:
        with open(os.environ["SLIPWAY_HOOK_CHANGES"], "w", encoding="utf-8") as answer:
            json.dump(changes, answer)
    return 1 if failed else 0
