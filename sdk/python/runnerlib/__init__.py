"""Scripts that say `import runnerlib` or `from runnerlib.workflow import ...` run unchanged: everything is Slipway's.

New scripts say `import slipway`.
"""
from __future__ import annotations

from .workflow import *  # noqa: F401,F403  (the names of runnerlib.workflow are runnerlib's)
from .workflow import __all__
