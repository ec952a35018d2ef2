"""A person at a terminal: a program on a pseudo-terminal of its own."""
from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from harness import TIMEOUT, Slipway

TERMINAL = "xterm-256color"


class Person:
    """`slipway ARGUMENTS` started by somebody who sits at a terminal of `rows` by `columns`."""

    def __init__(self, slipway: Slipway, *arguments: str, rows: int = 30, columns: int = 100, env: dict | None = None):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.modes = termios.tcgetattr(self.slave)
        self.seen = b""
        self.process = subprocess.Popen(
            [*slipway.command, *arguments], stdin=self.slave, stdout=self.slave, stderr=self.slave, cwd=slipway.project.path,
            env=slipway.environment | {"TERM": TERMINAL} | (env or {}), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read(self, seconds: float = 0.05) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                pass

    @property
    def screen(self) -> str:
        return self.seen.decode(errors="replace")

    def wait_for(self, pattern: str, seconds: float = 20) -> re.Match:
        """Until what came since the last time matches; that and what is before it is then behind."""
        end = time.monotonic() + seconds
        while True:
            if match := re.search(pattern, self.screen):
                self.seen = self.screen[match.end():].encode()
                return match
            assert time.monotonic() < end, f"{pattern!r} did not come within {seconds} s:\n{self.screen[-3000:]}"
            assert self.process.poll() is None or select.select([self.master], [], [], 0)[0], f"ended before {pattern!r} came:\n{self.screen[-3000:]}"
            self.read()

    def close(self) -> None:
        """The window is closed."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def ended(self, seconds: float = TIMEOUT) -> int:
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still runs:\n{self.screen[-3000:]}"
            if self.master >= 0:
                self.read()
            else:
                time.sleep(0.01)
        while self.master >= 0 and select.select([self.master], [], [], 0)[0]:
            self.read(0)
        return self.process.returncode

    def is_sane(self) -> bool:
        """The terminal is as it was before."""
        return termios.tcgetattr(self.slave) == self.modes
