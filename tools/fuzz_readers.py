"""Throw damaged files at every reader: `python tools/fuzz_readers.py --count 100000 --seed 0`.

Each input is a good file of some kind with random harm done to it: bytes flipped, cut, repeated, inserted, numbers in
headers replaced; or a device, named pipe, socket, folder or symbolic link stands in its place. A reader may return or
raise `InputError`. Anything else is a crash; an input that takes longer than `--seconds` is a hang; one at which the
process grows by more than `--megabytes` is an allocation that its file does not justify; and whatever links lead to
must be as it was.
"""

import argparse
import contextlib
import dataclasses
import io
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import numpy as np

from aae_jax.errors import InputError
from aae_jax.text import printable
from tools.fuzz_targets import Target, build_targets

Harm = Callable[[np.random.Generator, bytes], bytes]
INTERESTING = [0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 10**9, 2**40, 2**63 - 1]
TOKENS = (
    b"null",
    b"NaN",
    b"-1",
    b"1e999",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"&a [*a]",
    b"<<: *a",
    b"!!set ",
    b"\x1b[2J",
)
SPECIAL_SHARE = 0.05
"""Of the inputs that are no file at all."""


def flip(generator: np.random.Generator, raw: bytes) -> bytes:
    """Change a few bits."""
    changed = bytearray(raw)
    for at in generator.integers(0, len(raw), generator.integers(1, 9)):
        changed[at] ^= 1 << int(generator.integers(8))
    return bytes(changed)


def flip_header(generator: np.random.Generator, raw: bytes) -> bytes:
    """Change a few bytes among the first hundred."""
    changed = bytearray(raw)
    for at in generator.integers(0, min(len(raw), 100), generator.integers(1, 4)):
        changed[at] = int(generator.integers(256))
    return bytes(changed)


def number(generator: np.random.Generator, raw: bytes) -> bytes:
    """Put a number that overflows something somewhere, in either byte order or as digits."""
    value = int(generator.choice(np.array(INTERESTING, dtype=object)))
    at = int(generator.integers(0, len(raw)))
    kind = int(generator.integers(3))
    text = str(value).encode() if kind == 2 else value.to_bytes(8, "big" if kind else "little")
    return raw[:at] + text + raw[at + len(text) :]


def cut(generator: np.random.Generator, raw: bytes) -> bytes:
    """Keep a piece."""
    low, high = sorted(int(x) for x in generator.integers(0, len(raw) + 1, 2))
    return raw[:high] if generator.integers(2) else raw[low:high]


def insert(generator: np.random.Generator, raw: bytes) -> bytes:
    """Put random bytes in."""
    at = int(generator.integers(0, len(raw) + 1))
    return raw[:at] + generator.bytes(int(generator.integers(1, 50))) + raw[at:]


def repeat(generator: np.random.Generator, raw: bytes) -> bytes:
    """Repeat a piece a few times."""
    low, high = sorted(int(x) for x in generator.integers(0, len(raw) + 1, 2))
    return raw[:high] + raw[low:high] * int(generator.integers(1, 5)) + raw[high:]


def token(generator: np.random.Generator, raw: bytes) -> bytes:
    """Put something that means much in JSON or YAML somewhere."""
    at = int(generator.integers(0, len(raw) + 1))
    return raw[:at] + TOKENS[int(generator.integers(len(TOKENS)))] + raw[at + int(generator.integers(0, 5)) :]


def noise(generator: np.random.Generator, raw: bytes) -> bytes:
    """Forget the file."""
    return generator.bytes(int(generator.integers(0, 300)))


HARMS: list[Harm] = [flip, flip, flip_header, flip_header, number, number, cut, insert, repeat, token, noise]


def bind_socket(path: Path) -> None:
    """Put a socket in a file's place; its name may be too long for one."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def special_file(generator: np.random.Generator, path: Path, victim: Path) -> None:
    """Put something in a file's place that is none, or a link to something outside."""
    makers: list[Callable[[], object]] = [
        lambda: os.mkfifo(path),
        lambda: bind_socket(path),
        lambda: path.mkdir(),
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.symlink_to("/dev/full"),
        lambda: path.symlink_to(victim),
        lambda: path.symlink_to(victim / "precious"),
        lambda: path.symlink_to(path),
        lambda: path.symlink_to(path.with_name("nothing")),
    ]
    makers[int(generator.integers(len(makers)))]()


class Hang(Exception):  # noqa: N818 - what it is
    """A reader took too long."""


def peak_megabytes() -> float:
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclasses.dataclass(frozen=True)
class Place:
    """Where inputs are read, and a folder outside of it that must stay as it is."""

    folder: Path
    victim: Path

    def harm(self, target: Target, generator: np.random.Generator) -> Path:
        """Write a target's files, one of them damaged, and return its path."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, content in target.others.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)
        path = self.folder / target.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if generator.random() < SPECIAL_SHARE:
            special_file(generator, path, self.victim)
            return path
        raw = target.good[int(generator.integers(len(target.good)))]
        for _ in range(int(generator.integers(1, 4))):
            raw = HARMS[int(generator.integers(len(HARMS)))](generator, raw) or b"\0"
        path.write_bytes(raw)
        return path

    def set_up(self) -> None:
        """Make what links lead to."""
        self.victim.mkdir()
        (self.victim / "precious").write_text("precious")
        (self.victim / "7").mkdir()
        (self.victim / "7" / "notes.json").write_text("{}")

    def touched(self) -> bool:
        """Return whether something outside has changed."""
        found = {str(path.relative_to(self.victim)) for path in self.victim.rglob("*")}
        return found != {"precious", "7", "7/notes.json"} or (self.victim / "precious").read_text() != "precious"


def attack(target: Target, place: Place, generator: np.random.Generator, seconds: float) -> str | None:
    """Read one damaged file; return what went wrong, or None."""
    path = place.harm(target, generator)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            target.read(path)
    except InputError as error:
        return None if printable(str(error)) == str(error) else f"a message that cannot be printed: {error!r}"
    except Hang:
        return "hang"
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "something outside was touched" if place.touched() else None


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--megabytes", type=float, default=256.0)
    parser.add_argument("--keep", type=Path, default=None, help="folder for the inputs that caused failures")
    return parser.parse_args()


def fuzz(
    targets: list[Target], place: Place, args: argparse.Namespace
) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Attack every reader in turn; return the inputs by target, and what went wrong by target and kind."""
    counts: Counter[str] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for index in range(args.count):
        target, before = targets[index % len(targets)], peak_megabytes()
        wrong = attack(target, place, np.random.default_rng([args.seed, index]), args.seconds)
        grown = peak_megabytes() - before
        if wrong is None and grown > args.megabytes and index >= len(targets):
            wrong = f"memory grew by {grown:.0f} MB"
        counts[target.name] += 1
        if wrong is None:
            continue
        kind = wrong.strip().splitlines()[-1][:150]
        found[target.name, kind] += 1
        if found[target.name, kind] == 1:
            print(f"--- {target.name}, input {index}:\n{wrong}", flush=True)
            if args.keep is not None and (place.folder / target.file).is_file():
                args.keep.mkdir(parents=True, exist_ok=True)
                name = f"{index}-{Path(target.file).name}"
                (args.keep / name).write_bytes((place.folder / target.file).read_bytes())
    return counts, found


def main() -> int:
    """Attack every reader and print a table; the exit status is 0 if all held."""
    args = parse_arguments()

    def on_alarm(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, on_alarm)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        os.environ["AAE_CACHE_DIR"] = os.environ["HOME"] = temporary
        os.environ["AAE_OFFLINE"] = "1"
        (root / "good").mkdir()
        place = Place(root / "place", root / "victim")
        place.set_up()
        counts, found = fuzz(build_targets(root / "good"), place, args)
    for name, count in counts.items():
        wrong_here = sum(n for (target_name, _), n in found.items() if target_name == name)
        print(f"{name:60} {count:7} inputs  {wrong_here:5} wrong")
    hangs = sum(n for (_, kind), n in found.items() if kind == "hang")
    touched = sum(n for (_, kind), n in found.items() if kind.startswith("something outside"))
    crashes = sum(found.values()) - hangs - touched
    print(f"{args.count} inputs, {crashes} crashes, {hangs} hangs, {touched} times touched outside, ", end="")
    print(f"seed {args.seed}, {time.perf_counter() - began:.0f} s, {peak_megabytes():.0f} MB at most")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
