"""What is measured of weights while they are trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.data import Quiet
from aae_jax.evaluation import build_draw_codes
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.models.shared.plan import main_plan
from aae_jax.run.arguments import parse
from aae_jax.run.measures import build_seed_measure
from aae_jax.run.setup import build_setup
from aae_jax.train.state import evaluation_variables


@pytest.mark.parametrize(("noise_in", "shift"), [("all", 0), ("reconstruction", 2)])
def test_codes_are_of_views_as_the_adversaries_see_them(noise_in, shift):
    argv = ["--preset", "smoke", "--dataset", "digits", "--labels", "50", "--views.noise-in", noise_in]
    argv += ["--views.max-shift", str(shift)]
    problem = build_setup(semi_supervised.SPEC, parse(semi_supervised.SPEC, argv).config, Quiet())
    task = main_plan(problem)
    params, stats = evaluation_variables(task.build_state())
    images = problem.validation_images
    quiet, noisy = (
        build_seed_measure(problem, task.hyper.replace({"views.noise_std": jnp.asarray(std)}))(
            params, stats, images, problem.validation_labels
        )
        for std in (0.0, 3.0)
    )
    assert quiet["error"] == noisy["error"]  # classes are of the images as they are
    wider = np.asarray(noisy["code_std_ratio"] / quiet["code_std_ratio"])
    assert (wider > 1.2).all() if noise_in == "all" else (wider == 1.0).all()
    of_seed = jax.tree.map(lambda leaf: leaf[0], (params, stats))
    in_place = build_draw_codes(problem.networks, problem.config.network.output)(*of_seed, images, jax.random.key(0))
    shares = np.asarray(quiet["code_std_ratio"][0]) / np.std(np.asarray(in_place), axis=0)
    assert (np.abs(shares - 1) > 0.05).any() if shift else (np.abs(shares - 1) < 0.03).all()
