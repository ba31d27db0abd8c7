"""Log-likelihood of test images, by Parzen windows on samples of the AAE (Makhzani et al. 2016, §3, table 1)."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from aae_jax.augment import activate, scale_pixels, unscale_pixels
from aae_jax.evaluation import measure_likelihood
from aae_jax.models.likelihood.config import validate_likelihood
from aae_jax.models.likelihood.presets import PRESETS
from aae_jax.models.shared.results import by_seed, chosen_and_judged
from aae_jax.models.spec import RunSetup, Trained
from aae_jax.models.unsupervised import experiment as unsupervised
from aae_jax.saved.model import Model
from aae_jax.types import Array, PRNGKey

__all__ = ["SPEC"]


def _results(setup: RunSetup, trained: Trained, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the likelihood by number of samples: of the test images, or of half of the validation images.

    The width is chosen on the validation images, or on their other half if the test images must not be used.
    """
    config = setup.config
    chosen_on, judged = (
        np.asarray(scale_pixels(jnp.asarray(images), "sigmoid")).reshape(len(images), -1)
        for images, _ in chosen_and_judged(setup)
    )
    found: dict[str, Any] = {}
    for count in config.samples:

        def measure(model: Model, index: int, count: int = count) -> dict[str, float]:
            def sample(key: PRNGKey, n: int) -> Array:
                z, output = model.draw_styles(key, n), model.network.output
                nothing = jnp.zeros((n, 0), jnp.float32)
                decoded, _ = model.networks.decode(model.params, model.stats, z, nothing, None)
                return unscale_pixels(activate(decoded, output), output).reshape(n, -1)

            report = measure_likelihood(sample, setup.keys.samples[index], chosen_on, judged, num_samples=count)
            return {
                "log_likelihood": report.log_likelihood,
                "standard_error": report.standard_error,
                "width": report.width,
                "at_the_edge": float(report.at_the_edge),
            }

        found[str(count)] = by_seed(trained, measure)
    return {"likelihood": {"measured_on": "test" if config.test else "validation", "samples": found}}


def _lines(summary: Mapping[str, Any]) -> list[str]:
    found, lines = summary["likelihood"], []
    for count, values in found["samples"].items():
        value, error, width = (values[name]["mean"] for name in ("log_likelihood", "standard_error", "width"))
        deviation = "" if error is None else f" ± {error:.1f}"
        spread = values["log_likelihood"]["std"]
        seeds = "" if spread is None else f", standard deviation over seeds {spread:.1f}"
        lines.append(
            f"log-likelihood {value:.1f}{deviation} nats (standard error over {found['measured_on']} images"
            f"{seeds}) by {int(count):,} samples, width {width:.3f}"
        )
    return lines


SPEC = dataclasses.replace(
    unsupervised.SPEC,
    name="likelihood",
    description=__doc__ or "",
    presets=PRESETS,
    validate=validate_likelihood,
    results=_results,
    lines=_lines,
)
