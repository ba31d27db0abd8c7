"""The command behind `experiments/reproduce.py`: train the rows of a table, then write the pages."""

import sys

from reproduce import command

__all__ = ["main"]


def main() -> int:
    """Train and record what is missing, write the pages where all went well, and return the exit status."""
    status = command.main()
    if status == 0:
        from reproduce.pages.__main__ import main as write_pages  # draws: not wanted before training

        status = write_pages([])
    return status


if __name__ == "__main__":
    sys.exit(main())
