"""Write constraints.txt from the tried versions in pyproject.toml, or check that the two agree."""

import argparse
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Generated from [tool.uv] constraint-dependencies in pyproject.toml by
#     python tools/make_constraints.py
# Do not edit. For pip: pip install -c constraints.txt .
"""


def render(pyproject: Path) -> str:
    """Return the text of constraints.txt that belongs to a pyproject.toml."""
    pins = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["uv"]["constraint-dependencies"]
    return HEADER + "".join(f"{pin}\n" for pin in pins)


def main() -> int:
    """Write the file; with `--check`, change nothing and return 1 where it is missing or differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 on a difference")
    check = parser.parse_args().check
    target, wanted = ROOT / "constraints.txt", render(ROOT / "pyproject.toml")
    if not check:
        target.write_text(wanted, encoding="utf-8")
        return 0
    if target.exists() and target.read_text(encoding="utf-8") == wanted:
        return 0
    print("constraints.txt differs from pyproject: run `python tools/make_constraints.py`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
