"""Model cards: a README.md that says what a model is, how it was made, how well it does, and where it fails."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aae_jax.text import count_numbers, printable

__all__ = ["CARD_FILE", "model_card"]

CARD_FILE = "README.md"
LOCAL = re.compile(r" --(?:data-dir|out-dir|resume|config-path|warm-start)[ =](?:'[^']*'|\S+)")
"""Flags whose values are paths of the machine that trained the model."""
FOLDERS = re.compile(r"(?<=[\s:='])(?:[~/][^\s']*/|[A-Za-z]:\\[^']*\\)(?=[^\s/\\']+)")
"""The folders of a path."""
OTHERS = ("code_", "discriminator_", "label")
"""Beginnings of the names of measures that say how training went."""
CONDITIONAL = "generated images that a judge finds to be of their class"


def model_card(model: Any, summary: Mapping[str, Any] | None = None) -> str:
    """Return the card of a `Model` in Markdown, with the front matter that model hubs read.

    Args:
        model: The model.
        summary: What its run measured (`Run.summary`, `summary.json`); None leaves that out. Paths in the command of
            the run are not shown.
    """
    summary = summary or {}
    sections = [
        _title(model),
        "## Use\n\n```python\n" + _example(model) + "```",
        "## Training\n\n" + "\n".join(f"- {line}" for line in _training(model, summary)),
    ]
    measured = list(_measured(summary))
    if measured:
        seeds = len(summary.get("seeds", ())) - len(summary.get("failed_seeds", ()))
        spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
        tested = (summary.get("splits") or {}).get("test") if summary.get("tested") else None
        where = f"{tested:,} test images" if tested else "test images" if summary.get("test") else "validation images"
        rows = "\n".join(f"| {name} | {value} |" for name, value in measured)
        sections.append(f"## Results\n\nOn {where}, {spread}:\n\n| measure | value |\n|---|---|\n{rows}")
    sections.append("## Limits\n\n" + "\n".join(f"- {line}" for line in _limits(model)))
    return (
        "---\nlibrary_name: aae_jax\ntags:\n- adversarial-autoencoder\n- jax\n---\n\n" + "\n\n".join(sections) + "\n"
    )


def _title(model: Any) -> str:
    kind = (model.experiment or "autoencoder").replace("_", "-")
    prior = f" with a prior of kind {model.prior.kind}" if model.prior is not None else ""
    data, shape = _name_of(model), " × ".join(map(str, model.image_shape))
    return (
        f"# {kind[0].upper()}{kind[1:]}: {data}\n\n"
        f"An adversarial autoencoder (Makhzani et al. 2016) by aae_jax: a code of {model.network.latent_dim} "
        f"dimensions{prior}, of data of shape {shape}; {count_numbers(model.params):,} weights."
    )


def _name_of(model: Any) -> str:
    """Return the name of the data, without folders, harmless in Markdown."""
    name = FOLDERS.sub("", f" {model.data.get('name', 'unknown data')}").strip()
    return printable(name).translate({ord("<"): "&lt;", ord("`"): "'", ord("|"): "/", ord("\n"): " "})


def _example(model: Any) -> str:
    lines = ["import aae_jax", "", 'model = aae_jax.load("FOLDER")  # or aae_jax.Model.from_pretrained("OWNER/NAME")']
    if model.prior is not None:
        lines.append("images = model.sample(10)")
    lines.append("codes = model.transform(images)")
    if model.num_classes:
        lines.append("probabilities = model.predict_proba(images)")
    return "\n".join(lines) + "\n"


def _training(model: Any, summary: Mapping[str, Any]) -> Iterator[str]:
    digest = model.data.get("sha256")
    yield f"data: {_name_of(model)}" + (f", SHA-256 `{digest}`" if digest else "")
    if summary.get("splits"):
        sizes = ", ".join(f"{size:,} {name}" for name, size in summary["splits"].items() if size)
        yield f"images: {sizes}"
    if summary.get("command"):
        command = FOLDERS.sub("", LOCAL.sub("", f" {summary['command']}")).strip()
        yield f"command: `{printable(command).replace('`', '')}`"
    if "updates" in summary:
        yield f"{summary['updates']:,} updates, seed {model.seed}"
    versions = summary.get("versions", {})
    if versions:
        commit = summary.get("git_commit")
        listed = ", ".join(f"{name} {versions[name]}" for name in ("aae-jax", "jax", "flax") if name in versions)
        yield listed + (f", commit {commit}" if commit else "")


def _measured(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the measures of a summary that say how well a model does, by a readable name."""
    for name, value in (summary.get("test") or summary.get("validation") or {}).items():
        if "/" not in name and not name.startswith(OTHERS) and isinstance(value, Mapping):
            yield name.replace("_", " "), _spread(name, value)
    baseline = summary.get("baseline") or {}
    if isinstance(baseline.get("test_error"), Mapping):
        yield "test error of the supervised baseline", _spread("test_error", baseline["test_error"])
    for name, title in (
        ("expected_error", "calibration error"),
        ("calibrated_error", "calibration error, calibrated"),
    ):
        value = (summary.get("calibration") or {}).get(name)
        if isinstance(value, Mapping):
            yield title, _spread(name, value)
    generation = summary.get("generation") or {}
    if isinstance(generation.get("conditional_accuracy"), Mapping):
        yield CONDITIONAL, _spread("accuracy", generation["conditional_accuracy"])
    match = (generation.get("codes_and_prior") or {}).get("two_sample_accuracy")
    if isinstance(match, Mapping):
        title = "accuracy of a fresh classifier between codes and prior (50 %: they match)"
        yield title, _spread("accuracy", match)


def _spread(name: str, value: Mapping[str, Any]) -> str:
    """Return a mean with its standard deviation, shares in percent."""
    mean, std = value.get("mean"), value.get("std")
    if mean is None or mean != mean:
        return "–"
    share = name.endswith(("accuracy", "error")) and "reconstruction" not in name
    factor, unit, digits = (100, " %", ".2f") if share else (1, "", ".4g")
    spread = "" if std is None else f" ± {factor * std:{digits}}"
    return f"{factor * mean:{digits}}{spread}{unit}"


def _limits(model: Any) -> Iterator[str]:
    data = _name_of(model)
    yield (
        f"It knows {data} alone. Other images get a code, and a class where there are classes, however little they "
        "resemble the data; `aae-jax score` ranks images by how unusual they are."
    )
    if model.clusters:
        yield "Its classes are clusters that nobody named; their numbers mean nothing."
    elif model.num_classes and model.temperature is None:
        yield "Its probabilities are not calibrated."
    elif model.num_classes:
        yield (
            "Its probabilities are calibrated, by `predict_proba(images, calibrated=True)`, for images drawn as "
            "those of its validation set were."
        )
    if model.prior is None:
        yield "Its codes were pulled to no prior: it cannot be sampled from without fitting a mixture to codes."
    if model.modules.named():
        yield "Its networks are modules of its authors, which the files do not contain; `load` needs them."
