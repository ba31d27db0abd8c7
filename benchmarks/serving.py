"""How a contender of a benchmark is spoken to: one JSON object a line in, one a line out.

Every contender lives in its own process, so that no library's idle threads run beside another's work; the parent
lets them work in turn. Needs nothing but Python.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Contender", "serve"]

HERE = Path(__file__).resolve().parent


def serve(commands: Mapping[str, Callable[..., Any]]) -> None:
    """Answer each line `{"do": name, ...}` of the standard input by what `commands[name](...)` returns."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print shall not be taken for an answer
    for line in sys.stdin:
        request = json.loads(line)
        answer = commands[request.pop("do")](**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class Contender:
    """A worker process, started by the script's name, on some of the machine's processors."""

    def __init__(self, script: str, *, python: str = sys.executable, cpus: Sequence[int] | None = None) -> None:
        """Start `python script` with the processors `cpus`, or all that this process may use."""
        self.name = script

        def confine() -> None:
            if cpus is not None:
                os.sched_setaffinity(0, cpus)

        self.process = subprocess.Popen(
            [python, str(HERE / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=confine,
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        """Have the worker do something, and return its answer.

        Raises:
            RuntimeError: It has ended instead of answering; its standard error stream says why.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended (status {self.process.wait()}) when asked to {do}")
        return json.loads(line)

    def close(self) -> None:
        """End the worker."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
