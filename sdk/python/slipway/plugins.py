"""The base class of lifecycle plugins: `.slipway/plugins/plugin_*.py` of job code.

A plugin is a class below `Plugin` with a method for each phase that it takes part in. It is called with the phase's
context, a dict: at least `phase`, `run`, `job` and `workspace`. What it returns, if anything, is a dict of changes
(docs/hooks.md). Lower priorities run first.

    from slipway import Plugin

    class Licences(Plugin):
        def __init__(self):
            super().__init__("licences", priority=50)

        def post_source_prep(self, context):
            return {"env": {"LICENCE_FILE": "/job/src/LICENCE"}}
"""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple

PHASES: Tuple[str, ...] = ("pre_validation", "post_validation", "pre_source_prep", "post_source_prep", "pre_container",
                           "post_container", "on_error", "cleanup")
"""In the order in which they come. `on_error` only when something failed; `cleanup` always."""


class Plugin:
    """A plugin: override the methods that are named after the phases it takes part in."""

    def __init__(self, name: str = "", priority: int = 100) -> None:
        self.name = name or type(self).__name__
        self.priority = int(priority)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, priority={self.priority})"

    def handler(self, phase: str) -> Optional[Callable[[Dict[str, Any]], Optional[Dict[str, Any]]]]:
        """What `phase` calls; None when this plugin takes no part in it."""
        phase = phase.lower()
        if phase not in PHASES:
            raise ValueError(f"`{phase}` is no phase; there are {', '.join(PHASES)}")
        if getattr(type(self), phase) is getattr(Plugin, phase):
            return None
        method: Callable[[Dict[str, Any]], Optional[Dict[str, Any]]] = getattr(self, phase)
        return method

    def pre_validation(self, context: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """First of all. The source is there in every phase."""
        return None

    def post_validation(self, context: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """The definition was found good."""
        return None

    def pre_source_prep(self, context: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """Before the source is prepared."""
        return None

    def post_source_prep(self, context: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """When the source is prepared."""
        return None

    def pre_container(self, context: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """Right before the steps."""
        return None

    def post_container(self, context: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """Right behind the steps."""
        return None

    def on_error(self, context: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """Something failed; `context["error"]` says what."""
        return None

    def cleanup(self, context: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """The last call, whatever happened."""
        return None
