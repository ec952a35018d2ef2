"""`python -m runnerlib.register_secret VALUE... | -`: hides values in the job's output, as `slipway mask` does.

`-` reads them from standard input, one a line: what stands on a command line can be seen by other processes.
`--socket` is accepted and names the job's control socket; without it $SLIPWAY_SOCKET does.
"""
from __future__ import annotations

import argparse
import os
import sys

from slipway import NotInJob, SlipwayError, mask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="register_secret", description="hide values in the job's output")
    parser.add_argument("values", nargs="+", metavar="VALUE", help="what to hide; - reads lines of standard input")
    parser.add_argument("--socket", help="the job's control socket")
    asked = parser.parse_args(arguments)
    if asked.socket:
        os.environ["SLIPWAY_SOCKET"] = asked.socket
    values: List[str] = []
    for value in asked.values:
        values += sys.stdin.read().splitlines() if value == "-" else [value]
    failed = 0
    for value in values:
        if not value:
            continue
        try:
            mask(value)
        except NotInJob as error:
            print(f"register_secret: {error}", file=sys.stderr)
            return 1
        except SlipwayError as error:
            print(f"register_secret: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
