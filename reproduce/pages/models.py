"""The table of all models and the gallery, from the files that `experiments/reproduce.py --table models` wrote."""

from collections.abc import Callable
from typing import Any

from aae_jax.errors import InputError
from reproduce.models import MODELS, ModelRow
from reproduce.pages.markdown import RESULTS, device, read, spread, table

__all__ = ["CAPTIONS", "FIGURE_TWO", "figure_two", "gallery", "models_table"]

Record = dict[str, Any]


def _percent(result: Record) -> str:
    return f"{spread(result['per_seed'])} %"


def _number(result: Record, form: str) -> str:
    """Return the mean over seeds in a form such as `{:.3f}`, or a dash where no seed has one."""
    return "–" if result["mean"] is None else form.format(result["mean"])


def _of_parts(record: Record) -> str:
    accuracy = {"per_seed": [None if e is None else 1 - e for e in record["test"]["component_error"]["per_seed"]]}
    return f"**{_percent(accuracy)}** of codes in their class's part"


def _of_clusters(record: Record) -> str:
    clusters = record["clusters"]
    information = _number(clusters["normalised_mutual_information"], "{:.3f}")
    return (
        f"error **{_percent(clusters['majority_error'])}** by majority, "
        f"{_percent(clusters['most_certain_error'])} by the paper's rule, "
        f"{_percent(clusters['hungarian_error'])} one to one; NMI {information}"
    )


def _of_labels(record: Record) -> str:
    if "clusters" in record:
        return _of_clusters(record)
    error = record["test_error"] if "test_error" in record else record["test"]["error"]
    return f"error **{_percent(error)}**"


def _of_likelihood(record: Record) -> str:
    parts = []
    for count, measured in record["likelihood"]["samples"].items():
        nats = [value for value in measured["log_likelihood"]["per_seed"] if value is not None]
        between = f" (seeds {min(nats):.0f} to {max(nats):.0f})" if len(nats) > 1 else ""
        mean = _number(measured["log_likelihood"], "{:.0f}")
        error = _number(measured["standard_error"], "{:.1f}")
        parts.append(f"**{mean} ± {error}** nats by {int(count):,} samples{between}")
    return ", ".join(parts)


def _of_leakage(record: Record) -> str:
    leakage = record["label_leakage"]
    by_line, by_network = (leakage[name] for name in ("logistic_regression", "perceptron"))
    return (
        f"the label is predicted from the code in **{_percent(by_line)}** by logistic regression, "
        f"{_percent(by_network)} by a perceptron (chance {_percent(leakage['chance'])})"
    )


def _of_reconstruction(record: Record) -> str:
    return f"reconstruction error {_number(record['test']['reconstruction_error'], '{:.4f}')} per pixel"


MEASURED: dict[str, Callable[[Record], str]] = {
    "autoencoder": _of_reconstruction,
    "unsupervised": _of_reconstruction,
    "label_regularized": _of_parts,
    "clustering": _of_clusters,
    "dim_reduction": _of_labels,
    "semi_supervised": _of_labels,
    "likelihood": _of_likelihood,
    "supervised": _of_leakage,
}
GOALS = {
    "clustering-30": ("≤ 10 %", "4.10 ± 1.13 %"),
    "clustering-16": ("≤ 15 %", "9.55 ± 2.05 %"),
    "clustering-30-no-graph": ("≤ 10 %", "4.10 ± 1.13 %"),
    "clustering-16-no-graph": ("≤ 15 %", "9.55 ± 2.05 %"),
    "clustering-16-graph": ("≤ 15 %", "9.55 ± 2.05 %"),
    "clustering-16-graph-shifts": ("≤ 15 %", "9.55 ± 2.05 %"),
    "clustering-30-graph": ("≤ 10 %", "4.10 ± 1.13 %"),
    "label-regularized": ("≥ 90 %", "–"),
    "dim-reduction-1000": ("≤ 6 %", "4.20 %"),
    "dim-reduction-100": ("≤ 10 %", "6.08 %"),
    "dim-reduction-clusters": ("–", "13.95 %"),
    "dim-reduction-10d": ("–", "3.90 %"),
    "semi-supervised": ("–", "1.90 ± 0.10 %"),
    "likelihood": ("≥ 320", "340 ± 2"),
    "supervised-10": ("≤ 20 %", "–"),
}
"""By row: the goal on two cores in twenty minutes, and the paper's figure as recalled."""
FIGURE_TWO = ("unsupervised", "vae", "unsupervised-mixture", "vae-mixture")
CAPTIONS = {
    "circle_projection": "Codes of test images, projected so that the heads form a circle",
    "cluster_heads": "Each cluster's decoded head, and test images of the cluster",
    "code_histograms": "Histograms of the code's dimensions, with the prior's density",
    "code_scatter": "Codes of test images by class, sampled from their posteriors, next to samples of the prior",
    "confusion_matrix": "Confusion matrix of the classes",
    "embedding": "Test images in the plane, coloured by their true class",
    "first_layer_features": "Weights of the encoder's first units",
    "health": "Accuracy of the discriminators, and match of codes and prior",
    "latent_interpolation": "Interpolation between the codes of two images",
    "latent_features_tsne": "t-SNE of the codes of validation images, label and style together",
    "learned_latent_features": "Each label along the first dimension of the style",
    "learned_modes": "The image of each cluster, by the mode decoder",
    "learning_curves": "The losses of all phases",
    "manifold": "Decoded images of a regular grid of codes",
    "manifold_percentiles": "Decoded percentiles of the prior",
    "modes_and_samples_from_each_label": "Each label's mode, decoded with a style of zeros, and images of that label",
    "part_manifolds": "Decoded grid over each component of the prior, two standard deviations to each side",
    "predicted_label_distribution": "Number of images of each label",
    "predicted_classes": "Test images by predicted class, errors framed",
    "reconstruction_example": "An image and its reconstruction",
    "reconstructions": "Test images and their reconstructions",
    "reliability_diagram": "Accuracy by confidence",
    "samples": "Random samples of the prior, decoded",
    "samples_beside_nearest": "Random samples, each with its nearest training image",
    "style_class_grid": "Each style decoded in all classes, or clusters",
    "style_transfer": "The style of an image, on the left, decoded in all classes",
    "train_and_validation_error": "Errors on labelled and validation images",
    "validation_error": "The error on validation images",
    "walks": "Walks through the prior",
    "y_distribution": "Confidence of the predicted labels",
    "z_distribution": "The first dimension of the style",
}


def recorded() -> list[tuple[ModelRow, Record]]:
    """Return the rows that are recorded, in the gallery's order; any of other data than MNIST's tests is an error."""
    rows = []
    for row in MODELS:
        path = RESULTS / "models" / f"{row.name}.json"
        if path.is_file():
            one = read(path)
            if one["data"]["name"] != "mnist" or not one["tested"]:
                raise InputError(f"{path} is not of MNIST's test images; remove it.")
            rows.append((row, one))
    return rows


def models_table() -> str:
    """Return what each row measured on the test images, with its goal, and how close its codes are to the prior."""
    lines = []
    for row, record in recorded():
        cost = record["train_seconds"] * record["cpu_cores"] / 60 / len(record["seeds"])
        cells = (
            f"[{row.name}](#{row.name})",
            f"{device(record)}, {record['precision']}",
            f"{_seeds(record)}, {record['updates']:,}, {cost:.0f}",
            MEASURED[row.experiment](record),
            *GOALS.get(row.name, ("–", "–")),
            *_prior(record),
        )
        lines.append(" | ".join(cells))
    titles = (
        "row | where, precision | seeds, updates, minutes × cores a seed | on the test images | goal | paper† "
        "| std of codes / prior | mean offset, σ | MMD² | discriminator accuracy"
    )
    return table(titles, lines)


def _seeds(record: Record) -> str:
    failed = len(record["failed_seeds"])
    return f"{len(record['seeds'])}" + (f" ({failed} failed)" if failed else "")


def _prior(record: Record) -> list[str]:
    """Return the cells on codes and prior: ratios of stds over dimensions and seeds, the largest offset of a mean in
    stds of the prior, MMD², discriminator accuracy."""
    measured = record.get("test") or record.get("health", {})
    ratios, gaps = (
        [
            value
            for name, result in measured.items()
            if name.startswith(f"{kind}/")
            for value in result["per_seed"]
            if value is not None
        ]
        for kind in ("code_std_ratio", "code_mean_gap")
    )
    cells = [f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "–"]
    cells.append(f"{max(abs(gap) for gap in gaps):.2f}" if gaps else "–")
    for name, shown in (("code_mmd", "{:.4f}"), ("discriminator_z_accuracy", "{:.1%}")):
        cells.append(_number(measured[name], shown) if name in measured else "–")
    return cells


def figure_two() -> str:
    """Return the paper's figure 2: codes of the adversarial and the variational autoencoder under two priors."""
    if not set(FIGURE_TWO) <= {row.name for row, _ in recorded()}:
        return ""
    a, c, b, d = (f"![Codes of {name}](../results/models/{name}/code_scatter.png)" for name in FIGURE_TWO)
    lines = (
        "| | adversarial | variational |",
        "|---|---|---|",
        f"| Gaussian | {a} | {c} |",
        f"| mixture | {b} | {d} |",
    )
    return "\n".join(lines)


def gallery() -> str:
    """Return a section for each row: its command and its figures."""
    sections = []
    for row, record in recorded():
        command = f"python experiments/{row.experiment}.py {' '.join(row.arguments(record['epochs']))}"
        several = f" --num-seeds {len(record['seeds'])}" if len(record["seeds"]) > 1 else ""
        images = [_shown(row, name) for name in row.figures]
        if row.visualized:
            images.append("From `aae-jax visualize RUN`, given the run's folder or its saved model alone:")
            images += [_shown(row, name) for name in row.visualized]
        seeds = "one seed" if not several else f"{len(record['seeds'])} seeds, the first of which is shown"
        size = f"{record['updates']:,} updates, {seeds}."
        head = (
            f'<a id="{row.name}"></a>\n\n### {row.title}\n\n```sh\n{command}{several} --dataset mnist\n```\n\n{size}'
        )
        sections.append("\n\n".join([head, *images]))
    return "\n\n".join(sections)


def _shown(row: ModelRow, name: str) -> str:
    return f"**{CAPTIONS[name]}** (`{name}.png`)\n\n![{CAPTIONS[name]}](../results/models/{row.name}/{name}.png)"
