"""A process that dies before the n-th of its system calls on files: what a kill, a crash or a lost machine leaves."""

import os
import sys

EVENTS = {
    "open",
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
    "os.chmod",
}
"""What Python tells its audit hooks before each call; `fsync` is counted by hand."""


def kill_before_call(moment, action):
    """Run `action` in a child that ends without any clean-up before call number `moment`; return its status.

    127: it came to its end. Further calls are counted where Rust code writes a file by itself: none.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 126
    try:
        _watch(lambda number: os._exit(0) if number == moment else None)
        action()
        status = 127
    finally:
        os._exit(status)


def count_calls(action):
    """Return how many calls `action` makes, by running it in a child."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        counted = [0]
        _watch(lambda number: counted.__setitem__(0, number + 1))
        try:
            action()
        finally:
            os.write(write, str(counted[0]).encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        count = int(stream.read())
    os.waitpid(child, 0)
    return count


def _watch(tell):
    counted = [0]

    def called():
        tell(counted[0])
        counted[0] += 1

    def hook(event, arguments):
        writes = event != "open" or not isinstance(arguments[2], int) or arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in EVENTS and writes:
            called()

    fsync = os.fsync
    os.fsync = lambda descriptor: (called(), fsync(descriptor))[1]
    sys.addaudithook(hook)
