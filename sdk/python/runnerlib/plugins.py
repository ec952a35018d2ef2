"""The plugin base class of runnerlib is that of Slipway."""
from slipway.plugins import PHASES, Plugin

__all__ = ["PHASES", "Plugin"]
