"""Notes of a checkpoint: progress of its run, and the settings that a resumed run must share."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aae_jax.config.text import differences, from_mapping, to_mapping
from aae_jax.errors import InputError
from aae_jax.files import read_text
from aae_jax.models.spec import RunSetup
from aae_jax.text import quoted
from aae_jax.train.checkpoint import MAX_NOTES_BYTES, NOTES

__all__ = ["Notes", "checked_notes", "refuse_other_modules", "refuse_other_settings", "settings_of"]

WITHOUT_EFFECT = frozenset(
    {
        *("dataset", "data_dir", "image_size", "skip_bad_images", "stream_updates"),
        *("test", "checkpoint_seconds", "figures_every", "tensorboard", "judge_updates"),
        "prior.file",
    }
)
"""Settings that may change between start and resume: none of them affects training. The content of the data and of
the prior's samples is compared separately."""
MAX_NAMED = 5


class Notes(NamedTuple):
    """Validated notes of a checkpoint.

    Attributes:
        epoch: Last finished epoch, counted from 0; −1 in the first.
        updates: Number of updates in the epoch after that, of a checkpoint within an epoch.
        seconds: Training time up to then.
        failed: `update` and `phase` of the first non-finite loss, by failed seed.
        data_sha256: SHA-256 of the data; None in a checkpoint of the first version.
        config: Configuration of the run; None in a checkpoint of an earlier version.
        digest: SHA-256 of the settings; None in a checkpoint of an earlier version.
        members: Settings and seeds of a sweep, or None.
        prior_sha256: SHA-256 of the prior's samples; None for a prior that is not given by samples.
    """

    epoch: int
    updates: int
    seconds: float
    failed: dict[int, dict[str, Any]]
    data_sha256: str | None
    config: Mapping[str, Any] | None
    digest: str | None
    members: Any
    prior_sha256: str | None


def settings_of(setup: RunSetup) -> dict[str, Any]:
    """Return the settings that a checkpoint records with its state, ready for JSON."""
    settings: dict[str, Any] = {"config": to_mapping(setup.config)}
    if setup.members is not None:
        settings["members"] = [list(member) for member in setup.members]
    samples = None if setup.prior is None else setup.prior.samples
    if samples is not None:
        settings["prior_sha256"] = hashlib.sha256(samples.tobytes()).hexdigest()
    if setup.networks.modules.named():
        settings["modules"] = setup.networks.modules.named()
    return {**settings, "config_sha256": _digest(settings)}


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def checked_notes(notes: Mapping[str, Any], folder: Path) -> Notes:
    """Validate the notes of a checkpoint in `folder`.

    Raises:
        InputError: An entry is missing or has the wrong type.
    """
    epoch: Any = notes.get("epoch")
    updates: Any = notes.get("updates", 0)
    seconds: Any = notes.get("seconds")
    failed: Any = notes.get("failed")
    texts = [notes.get(name) for name in ("data_sha256", "config_sha256", "prior_sha256")]
    config = notes.get("config")
    right = (
        type(epoch) is int
        and type(updates) is int
        and 0 <= updates < 10**9
        and (-1 if updates else 0) <= epoch < 10**9
        and type(seconds) in (int, float)
        and math.isfinite(seconds)
        and isinstance(failed, dict)
        and all(str(seed).isdecimal() and _is_failure(failure) for seed, failure in failed.items())
        and all(text is None or isinstance(text, str) for text in texts)
        and (config is None or isinstance(config, dict))
    )
    if not right:
        raise InputError(f"The checkpoint in {folder} has unexpected notes ({quoted(notes)}); start a new run.")
    return Notes(
        epoch,
        updates,
        float(seconds),
        {int(seed): failure for seed, failure in failed.items()},
        texts[0],
        config,
        texts[1],
        notes.get("members"),
        texts[2],
    )


def _is_failure(failure: Any) -> bool:
    return isinstance(failure, dict) and type(failure.get("update")) is int and isinstance(failure.get("phase"), str)


def refuse_other_settings(notes: Notes, setup: RunSetup, folder: Path) -> None:
    """Refuse to resume from a checkpoint whose settings differ from those in `config.yaml`.

    Raises:
        InputError: Settings differ; the message names them.
    """
    if notes.config is None:  # saved by an earlier version
        return
    ours = settings_of(setup)
    if ours["config_sha256"] == notes.digest:
        return
    theirs = from_mapping(type(setup.config), notes.config)  # settings newer than the checkpoint get their defaults
    changed = [name for name in differences(setup.config, theirs) if name not in WITHOUT_EFFECT]
    if changed:
        named = ", ".join(f"{name} ({_at(theirs, name)} then, {_at(setup.config, name)} now)" for name in changed[:5])
        more = f" and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
        raise InputError(
            f"The checkpoint in {folder} was trained with other settings: {named}{more}; restore the run's "
            "config.yaml, or start a new run."
        )
    if notes.members != ours.get("members") or notes.prior_sha256 != ours.get("prior_sha256"):
        part = "settings of its members" if notes.members != ours.get("members") else "samples of the prior"
        raise InputError(
            f"The checkpoint in {folder} was trained with other {part}; restore them, or start a new run."
        )


def refuse_other_modules(checkpoints: Path, setup: RunSetup) -> None:
    """Refuse to resume a run without the encoder or decoder of a user's own that its checkpoints were trained with.

    Raises:
        InputError: The names of their classes differ.
    """
    newest = max(checkpoints.iterdir(), key=lambda path: path.name.zfill(20))
    try:
        notes = json.loads(read_text(newest / NOTES, MAX_NOTES_BYTES))
    except (OSError, ValueError, RecursionError):  # damaged: restoring it says so
        return
    trained = notes.get("modules", {}) if isinstance(notes, dict) else {}
    ours = setup.networks.modules.named()
    if trained != ours:
        raise InputError(
            f"The run in {checkpoints.parent.parent} was trained with the modules {quoted(trained)} of a user's own, "
            f"but this command has {quoted(ours)}; resume it from Python with the same modules."
        )


def _at(config: Any, name: str) -> str:
    for part in name.split("."):
        config = getattr(config, part)
    return quoted(config, 60)
