"""A program on a pseudo-terminal, and somebody in front of it who types and reads."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.cli.served import WAIT_S

_CODES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LOOK_S: Final = 0.1


class Terminal:
    """A pseudo-terminal with a process on it; `raw` is what it wrote and nobody has looked at."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        size: tuple[int, int],
    ) -> None:
        """`size` is height and width."""
        self.raw = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._master, self._slave = pty.openpty()
        self.resize(*size)
        self._before = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=directory,
            env=environment,
            start_new_session=True,
        )

    def resize(self, height: int, width: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Read what is written until something holds."""
        until_s = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < until_s, f"{what}: {self.raw[-4000:]!r}"
            if select.select([self._master], [], [], _LOOK_S)[0]:
                self.raw += self._decoder.decode(os.read(self._master, 1 << 16))

    def ends(self) -> int:
        """Wait for the end of the process; return its exit status."""
        self.wait(lambda: self.process.poll() is not None, "it did not end")
        status = self.process.returncode
        assert status is not None
        return status

    def is_as_before(self) -> bool:
        """Tell whether the terminal has the settings that it had at first."""
        return termios.tcgetattr(self._slave) == self._before

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


def without_codes(text: str) -> str:
    """Return a text without what colours it and moves the cursor."""
    return _CODES.sub("", text)
