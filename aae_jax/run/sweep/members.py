"""Members of a sweep: settings × seeds, in chunks that fit into memory, each trained as one program."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aae_jax.config import RunConfig
from aae_jax.data import Dataset, Reporter, TrainingArrays
from aae_jax.errors import InputError
from aae_jax.models.shared.class_frequencies import assumed_frequencies, class_shares
from aae_jax.models.shared.plan import TrainingPlan, main_plan
from aae_jax.models.shared.splits import split_for_seed
from aae_jax.models.spec import ModelSpec, RunSetup
from aae_jax.priors.prior import Prior
from aae_jax.run.setup import assemble, settle
from aae_jax.run.sweep.settings import (
    Range,
    apply_setting,
    common_config,
    pad_labelled,
    stack_numbers,
    swept_name,
)

__all__ = ["Member", "chunk_size", "members_of", "parse_space", "prepare_chunk"]

COPIES = 3
"""Maximum number of copies of a member's state in memory: donated state, new state, best weights."""
SHARE_OF_MEMORY = 0.5
Values = Range | list[float]


class Member(NamedTuple):
    """One training run of a sweep: the number of its setting, and its seed."""

    setting: int
    seed: int


def parse_space(texts: Sequence[str], config_class: type) -> dict[str, Values]:
    """Parse a search space, `NAME=V1,V2,…` and `NAME=LOW..HIGH[:log]`.

    Raises:
        InputError: A name cannot be swept or is repeated, or its values cannot be parsed.
    """
    space: dict[str, Values] = {}
    for text in texts:
        name, equals, described = text.partition("=")
        if not equals or not described:
            raise InputError(
                f"--vary {text} has no values; write NAME=V1,V2 or NAME=LOW..HIGH, e.g. views.noise_std=0.1,0.3."
            )
        name = swept_name(config_class, name.replace("-", "_").lstrip("_"))
        if name in space:
            raise InputError(f"--vary has {name} twice; give all its values at once.")
        space[name] = _parse_values(name, described)
    if not space:
        raise InputError("Nothing varies; give --vary NAME=V1,V2, e.g. --vary views.noise_std=0.1,0.3.")
    return space


def _parse_values(name: str, text: str) -> Values:
    whole = name == "labels"
    bounds, _, scale = text.partition(":")
    try:
        if ".." not in bounds:
            return [int(part) if whole else float(part) for part in text.split(",")]
        low, high = (float(part) for part in bounds.split(".."))
    except ValueError as error:
        kind = "whole numbers" if whole else "numbers"
        raise InputError(
            f"--vary {name}={text} is not made of {kind}; write V1,V2 or LOW..HIGH or LOW..HIGH:log."
        ) from error
    finite = np.isfinite([low, high]).all()
    if scale not in ("", "log") or not (finite and low < high) or (scale and low <= 0):
        raise InputError(f"--vary {name}={text} is no range; write LOW..HIGH, or LOW..HIGH:log with LOW above 0.")
    return Range(low, high, log=bool(scale), whole=whole)


def members_of(settings: int, config: RunConfig) -> list[Member]:
    """Return settings × seeds, with the seeds of a setting adjacent."""
    seeds = range(config.seed, config.seed + config.num_seeds)
    return [Member(setting, seed) for setting, seed in itertools.product(range(settings), seeds)]


def prepare_chunk(
    spec: ModelSpec,
    config: Any,
    dataset: Dataset,
    settings: Sequence[Mapping[str, float]],
    members: Sequence[Member],
    numbers: Sequence[int],
    prior: Prior | None,
    reporter: Reporter,
) -> tuple[RunSetup, TrainingPlan]:
    """Return the setup and the training plan of some members; their numbers replace the seeds of a run."""
    configs = [apply_setting(spec, config, settings[member.setting]) for member in members]
    arrays: list[TrainingArrays] = []
    for c, member in zip(configs, members, strict=True):
        own = split_for_seed(c, dataset, member.seed)
        shared = arrays[0] if arrays else own  # pool and validation are the same for all: one copy is kept
        arrays.append(own._replace(pool=shared.pool, validation_images=shared.validation_images))
    common = settle(spec, common_config(spec, configs), dataset, arrays[0].pool)
    labelled = pad_labelled(arrays)
    seeds = [member.seed for member in members]
    targets = neighbours = None
    if spec.find_targets is not None:
        pairs = list(zip(configs, seeds, strict=True))
        targets = spec.find_targets(dataset, pairs, common.views.max_shift or 0, reporter)
    if spec.find_neighbours is not None:
        neighbours = spec.find_neighbours(common, arrays[0].pool, reporter)
    setup = assemble(spec, common, dataset, arrays[0], seeds, labelled, targets, neighbours, prior=prior)
    frequencies = [assumed_frequencies(c, dataset, arrays[0].validation_labels) for c in configs]
    shares = class_shares(frequencies, labelled[1], labelled[2] if len(labelled) > 2 else None)
    setup = setup._replace(data=setup.data._replace(class_shares=shares), frequencies=frequencies[0])
    trained = tuple((dict(settings[member.setting]), member.seed) for member in members)
    setup = setup._replace(seeds=tuple(numbers), called="Member", members=trained)
    settled = [apply_setting(spec, common, settings[member.setting]) for member in members]
    return setup, main_plan(setup, stack_numbers(settled, setup.epochs * setup.steps_per_epoch))


def chunk_size(
    spec: ModelSpec,
    config: Any,
    dataset: Dataset,
    setting: Mapping[str, float],
    prior: Prior | None,
    bound: int | None,
) -> int:
    """Return the number of members that fit into `bound` bytes in addition to the data, at least one.

    None: half of the free memory of the device, or of the machine for a CPU.
    """
    spec = dataclasses.replace(spec, find_targets=None, find_neighbours=None)  # small, but slow
    setup, plan = prepare_chunk(spec, config, dataset, [setting], [Member(0, config.seed)], [0], prior, Reporter())
    state = jax.eval_shape(plan.build_state)
    size = COPIES * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    size += 2 * setup.data.labelled_images.nbytes
    return max(1, int((free_bytes() * SHARE_OF_MEMORY if bound is None else bound) // size))


def free_bytes() -> int:
    """Return the free memory of the training device in bytes."""
    device = jax.devices()[0]
    stats: dict[str, Any] | None = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 4 * 2**30
