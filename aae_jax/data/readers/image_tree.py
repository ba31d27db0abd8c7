"""Image files below a folder, or inside a zip file: their paths, a fingerprint, and their bytes."""

import contextlib
import hashlib
import json
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

from aae_jax.data.readers.idx import MAX_DEFLATED
from aae_jax.data.readers.picture_files import MAX_FILE_BYTES, SUFFIXES
from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = ["FolderTree", "ImageTree", "ZipTree", "fingerprint_of", "open_tree"]

MAX_FILES = 10_000_000
DRIVE = re.compile("[A-Za-z]:")
ENCRYPTED = 1
"""Bit of a zip member's flags."""
IGNORED = ("__MACOSX",)
"""Folders that systems add to archives; hidden files and folders are ignored as well."""


class FileStamp(NamedTuple):
    """What shows that a file has changed: its size in bytes, and its modification time or checksum."""

    size: int
    stamp: int


@contextlib.contextmanager
def open_tree(path: Path, *, zipped: bool) -> Iterator["ImageTree"]:
    """List the image files in a folder and its subfolders, or in a zip file, which stays open in the block.

    Raises:
        InputError: It does not exist, cannot be read, or holds no image files.
    """
    with contextlib.ExitStack() as stack:
        tree = ZipTree(path, stack) if zipped else FolderTree(path)
        if not tree.files:
            raise InputError(
                f"{path} holds no image files ({', '.join(SUFFIXES)}); name the folder or zip that does."
            )
        yield tree


def fingerprint_of(tree: "ImageTree") -> str:
    """Return a hash of the names, sizes and modification times of all files of a tree."""
    content = json.dumps([[path, *stamp] for path, stamp in tree.files.items()])
    return hashlib.sha256(content.encode()).hexdigest()


def _is_image(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") or part in IGNORED for part in parts)
    return not hidden and os.path.splitext(parts[-1])[1].lower() in SUFFIXES


def _stamp_of(entry: os.DirEntry[str]) -> FileStamp:
    """Return the stamp of a file; that of a link to nothing is zero: reading it will fail."""
    try:
        status = entry.stat()
    except OSError:
        return FileStamp(0, 0)
    return FileStamp(status.st_size, status.st_mtime_ns)


class FolderTree:
    """Image files in a folder and its subfolders; symbolic links are followed, loops of them once.

    Attributes:
        where: The folder, for messages.
        files: Stamps by path; paths are relative, with forward slashes, in sorted order.
    """

    def __init__(self, root: Path) -> None:
        """List the files below `root`.

        Raises:
            InputError: It is not a folder, or a folder cannot be listed.
        """
        self.root, self.where = root, str(root)
        try:
            exists = root.exists()
        except OSError as error:
            raise InputError(f"{root} cannot be read ({error.strerror or error}); name another folder.") from error
        if not exists:
            here = "" if root.is_absolute() else f" in {Path.cwd()}"
            raise InputError(f"The folder {root} does not exist{here}; check its name.")
        if not root.is_dir():
            raise InputError(f"{root} is not a folder; give folder:FOLDER, or zip:FILE for a zip file.")
        found: dict[str, FileStamp] = {}
        entered: set[tuple[int, int]] = set()

        def enter(folder: Path, parts: tuple[str, ...]) -> None:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in entered:
                return
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                # In this order, links last, the same folder is always entered by the same name.
                ordered = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
            for entry in ordered:
                below = (*parts, entry.name)
                if entry.is_dir():
                    if not entry.name.startswith(".") and entry.name not in IGNORED:
                        enter(Path(entry.path), below)
                elif _is_image(below):
                    found["/".join(below)] = _stamp_of(entry)
                    if len(found) > MAX_FILES:
                        raise InputError(f"{root} holds more than {MAX_FILES:,} image files; give fewer.")

        try:
            enter(root, ())
        except OSError as error:
            raise InputError(
                f"{error.filename or root} cannot be read ({error.strerror or error}); check its permissions, or "
                "remove it."
            ) from error
        except RecursionError as error:
            raise InputError(f"{root} has folders nested too deeply; give another.") from error
        self.files = dict(sorted(found.items(), key=lambda item: item[0].split("/")))

    def read(self, path: str) -> bytes:
        """Return the content of a file.

        Raises:
            InputError: It cannot be read.
        """
        try:
            with open_regular(self.root / path, MAX_FILE_BYTES) as stream:
                return stream.read()
        except OSError as error:
            raise InputError(
                f"{self.name_of(path)} cannot be read as a picture ({error.strerror or error})"
            ) from error

    def name_of(self, path: str) -> str:
        """Return the path of a file."""
        return str(self.root / path)


class ZipTree:
    """Image files in a zip file; its attributes are those of `FolderTree`. Nothing is unpacked to disk."""

    def __init__(self, file: Path, stack: contextlib.ExitStack) -> None:
        """List the members of `file`, which `stack` closes.

        Raises:
            InputError: It cannot be read or is damaged, or a member's path leaves its folder.
        """
        self.file, self.where = file, str(file)
        try:
            self.archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(open_regular(file))))
        except FileNotFoundError as error:
            here = "" if file.is_absolute() else f" in {Path.cwd()}"
            raise InputError(f"The file {file} does not exist{here}; check its name and folder.") from error
        except IsADirectoryError as error:
            raise InputError(f"{file} is a folder; give folder:{file}.") from error
        except OSError as error:
            raise InputError(f"{file} cannot be read ({error.strerror or error}); give a zip file.") from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise InputError(f"{file} is not a complete zip file ({error}); make it again.") from error
        self.members: dict[str, zipfile.ZipInfo] = {}
        for info in self.archive.infolist():
            path = PurePosixPath(info.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or DRIVE.match(str(path)):
                raise InputError(f"{file} holds the path {info.filename!r}, which leaves its folder; make it again.")
            if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16) or not path.parts or not _is_image(path.parts):
                continue
            if info.flag_bits & ENCRYPTED:
                raise InputError(f"{file} is encrypted ({info.filename!r}); make it again without a password.")
            if len(self.members) >= MAX_FILES:
                raise InputError(f"{file} holds more than {MAX_FILES:,} image files; give fewer.")
            if str(path) in self.members:
                raise InputError(f"{file} holds {info.filename!r} twice; make it again.")
            self.members[str(path)] = info
        ordered = sorted(self.members, key=lambda path: path.split("/"))
        self.files = {path: FileStamp(self.members[path].file_size, self.members[path].CRC) for path in ordered}

    def read(self, path: str) -> bytes:
        """Return the content of a file.

        Raises:
            InputError: It is damaged, or of another size than declared.
        """
        info, what = self.members[path], self.name_of(path)
        if info.file_size > min(MAX_DEFLATED * (info.compress_size + 1), MAX_FILE_BYTES):
            raise InputError(f"{what} declares {info.file_size:,} bytes, more than it can hold or than are read")
        try:
            with self.archive.open(info) as stream:
                content = stream.read(info.file_size + 1)
        except Exception as error:  # zipfile and the decompressors raise exceptions of many types for damaged members
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise InputError(f"{what} cannot be unpacked ({reason})") from error
        if len(content) != info.file_size:
            raise InputError(f"{what} declares {info.file_size:,} bytes but holds {len(content):,}")
        return content

    def name_of(self, path: str) -> str:
        """Return the name of the zip file and the path in it."""
        return f"{self.file}:{path}"


ImageTree: TypeAlias = FolderTree | ZipTree
"""Image files by path."""
