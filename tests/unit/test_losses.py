"""Every loss against the same number computed by hand in NumPy, jitted and not."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from aae_jax import losses, priors
from aae_jax.errors import InputError

LOGITS = np.array([[0.5, -1.5, 2.0], [0.0, 3.0, -0.25]])
OTHER = np.array([[1.0, 0.0, -2.0], [0.5, 0.25, 4.0]])
REAL, FAKE = np.array([0.5, -1.0, 2.0]), np.array([-0.25, 1.5])


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


class LossesTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_half_squared_error(self):
        output, target = jnp.array([[1.0, 2.0], [3.0, 5.0]]), jnp.array([[0.0, 2.0], [1.0, 1.0]])
        np.testing.assert_allclose(self.variant(losses.half_squared_error)(output, target), 5.25)

    @chex.variants(with_jit=True, without_jit=True)
    def test_half_squared_error_sums_over_pixels_of_images(self):
        error = self.variant(losses.half_squared_error)(jnp.ones((5, 4, 3)), jnp.zeros((5, 4, 3)))
        np.testing.assert_allclose(error, 6.0)

    @chex.variants(with_jit=True, without_jit=True)
    def test_bernoulli_cross_entropy(self):
        target = np.array([[0.0, 1.0, 0.25], [0.5, 0.9, 0.0]])
        p = sigmoid(LOGITS)
        expected = -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum(axis=1).mean()
        actual = self.variant(losses.bernoulli_cross_entropy)(jnp.array(LOGITS), jnp.array(target))
        np.testing.assert_allclose(actual, expected, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_discriminator_loss_with_unequal_numbers_of_real_and_fake(self):
        expected = -np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean()
        actual = self.variant(losses.discriminator_loss)(jnp.array(REAL), jnp.array(FAKE))
        np.testing.assert_allclose(actual, expected, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_generator_loss_is_the_non_saturating_one(self):
        expected = -np.log(sigmoid(FAKE)).mean()
        np.testing.assert_allclose(self.variant(losses.generator_loss)(jnp.array(FAKE)), expected, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_classification_loss(self):
        expected = -np.log(softmax(LOGITS)[[0, 1], [2, 0]]).mean()
        actual = self.variant(losses.classification_loss)(jnp.array(LOGITS), jnp.array([2, 0]))
        np.testing.assert_allclose(actual, expected, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_consistency_loss(self):
        for sharpness in (1.0, 2.5):
            target = softmax(sharpness * OTHER)
            expected = -(target * np.log(softmax(LOGITS))).sum(axis=1).mean()
            actual = self.variant(losses.consistency_loss)(jnp.array(OTHER), jnp.array(LOGITS), sharpness)
            np.testing.assert_allclose(actual, expected, rtol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_consistency_leaves_out_targets_that_are_not_confident(self):
        largest = softmax(OTHER).max(axis=1)
        assert largest[0] != largest[1]
        each = -(softmax(3.0 * OTHER) * np.log(softmax(LOGITS))).sum(axis=1)
        for confidence in (0.0, largest.mean(), 0.9999):
            expected = (each * (largest >= confidence)).sum() / 2
            actual = self.variant(losses.consistency_loss)(jnp.array(OTHER), jnp.array(LOGITS), 3.0, confidence)
            np.testing.assert_allclose(actual, expected, rtol=1e-6)
        broken = jnp.array(OTHER).at[0, 0].set(jnp.nan)
        assert jnp.isnan(self.variant(losses.consistency_loss)(broken, jnp.array(LOGITS), 3.0, 0.5))

    @chex.variants(with_jit=True, without_jit=True)
    def test_equilibrium_is_where_all_logits_are_zero(self):
        zeros = jnp.zeros(4)
        np.testing.assert_allclose(
            self.variant(losses.discriminator_loss)(zeros, zeros), losses.DISCRIMINATOR_EQUILIBRIUM, rtol=1e-6
        )
        np.testing.assert_allclose(
            self.variant(losses.generator_loss)(zeros), losses.GENERATOR_EQUILIBRIUM, rtol=1e-6
        )


WIDE = jnp.array([[1e4, -1e4, 0.0], [-1e4, 1e4, -1e4]])


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: losses.bernoulli_cross_entropy(x, jnp.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]])),
        lambda x: losses.discriminator_loss(x[0], x[1]),
        lambda x: losses.generator_loss(x[0]),
        lambda x: losses.classification_loss(x, jnp.array([1, 0])),
        lambda x: losses.consistency_loss(-WIDE, x, 3.0),
    ],
    ids=["bernoulli", "discriminator", "generator", "classification", "consistency"],
)
def test_logits_of_ten_thousand_give_finite_losses_and_gradients(loss):
    value, gradient = jax.value_and_grad(loss)(WIDE)
    assert 1e3 < value < 1e5
    chex.assert_tree_all_finite(gradient)
    assert jnp.any(gradient != 0), "a wrong and certain answer is to be corrected"


def test_consistency_has_a_gradient_in_the_prediction_only():
    gradients = jax.grad(losses.consistency_loss, argnums=(0, 1))(jnp.array(OTHER), jnp.array(LOGITS), 2.0)
    np.testing.assert_array_equal(gradients[0], 0.0)
    np.testing.assert_allclose(gradients[1], (softmax(LOGITS) - softmax(2.0 * OTHER)) / 2, atol=1e-6)


def test_shapes_in_signatures_are_checked_in_the_tests():
    pytest.importorskip("beartype")
    with pytest.raises(TypeCheckError, match="fake_logits"):
        losses.generator_loss(jnp.zeros((2, 3)))


MEAN, LOG_STD = np.array([[0.5, -1.0], [2.0, 0.0]]), np.array([[0.1, -0.5], [-1.0, 0.3]])


class OtherModelsTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_certainty_is_the_mean_entropy_of_labels(self):
        p = softmax(LOGITS)
        expected = -(p * np.log(p)).sum(axis=1).mean()
        np.testing.assert_allclose(self.variant(losses.certainty_loss)(jnp.array(LOGITS)), expected, rtol=1e-6)
        sure = self.variant(losses.certainty_loss)(jnp.array([[200.0, 0.0, -200.0]]))
        np.testing.assert_allclose(sure, 0.0, atol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_balance_is_what_the_mean_labels_entropy_lacks(self):
        mean = softmax(LOGITS).mean(axis=0)
        expected = np.log(3) + (mean * np.log(mean)).sum()
        np.testing.assert_allclose(self.variant(losses.balance_loss)(jnp.array(LOGITS)), expected, rtol=1e-5)
        balanced = self.variant(losses.balance_loss)(200.0 * jnp.eye(3))
        np.testing.assert_allclose(balanced, 0.0, atol=1e-6)
        one_class = self.variant(losses.balance_loss)(jnp.array([[200.0, 0.0, -200.0]] * 4))
        np.testing.assert_allclose(one_class, np.log(3), rtol=1e-5)

    @chex.variants(with_jit=True, without_jit=True)
    def test_balance_counts_beyond_its_slack_alone(self):
        lacking = float(losses.balance_loss(jnp.array(LOGITS)))
        beyond = self.variant(losses.balance_loss)(jnp.array(LOGITS), lacking / 4)
        np.testing.assert_allclose(beyond, 0.75 * lacking, rtol=1e-5)
        free = jax.grad(losses.balance_loss)(jnp.array(LOGITS), 2 * lacking)
        np.testing.assert_array_equal(free, np.zeros_like(LOGITS))

    @chex.variants(with_jit=True, without_jit=True)
    def test_kl_to_a_gaussian_of_any_std(self):
        std = np.exp(LOG_STD)
        for prior in (1.0, 5.0):
            expected = np.log(prior / std) + (std**2 + MEAN**2) / (2 * prior**2) - 0.5
            found = self.variant(losses.kl_to_gaussian)(jnp.array(MEAN), jnp.array(LOG_STD), prior)
            np.testing.assert_allclose(found, expected.sum(axis=1).mean(), rtol=1e-5)

    def test_kl_of_the_prior_itself_is_zero(self):
        found = losses.kl_to_gaussian(jnp.zeros((4, 3)), jnp.full((4, 3), jnp.log(5.0)), 5.0)
        np.testing.assert_allclose(found, 0.0, atol=1e-6)

    @chex.variants(with_jit=True, without_jit=True)
    def test_kl_by_samples_is_the_closed_form_on_average(self):
        noise = jax.random.normal(jax.random.key(0), (20_000, 2))
        mean, log_std = jnp.tile(MEAN[0], (20_000, 1)), jnp.tile(LOG_STD[0], (20_000, 1))
        z = mean + jnp.exp(log_std) * noise
        found = self.variant(losses.kl_by_samples)(z, mean, log_std, priors.gaussian_log_density(z, 2.0))
        closed = losses.kl_to_gaussian(mean, log_std, 2.0)
        np.testing.assert_allclose(found, closed, atol=0.02)

    @chex.variants(with_jit=True, without_jit=True)
    def test_cyclic_label_loss(self):
        label = softmax(OTHER)
        again = softmax(LOGITS)
        expected = -(label * np.log(again) + (1 - label) * np.log(1 - again)).mean()
        found = self.variant(losses.cyclic_label_loss)(jnp.array(LOGITS), jnp.array(label))
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_cyclic_label_loss_of_a_sure_answer_is_finite(self):
        sure, label = jnp.array([[200.0, 0.0, 0.0]]), jnp.array([[1.0, 0.0, 0.0]])
        value, gradient = jax.value_and_grad(losses.cyclic_label_loss)(sure, label)
        np.testing.assert_allclose(value, 0.0, atol=1e-6)
        assert np.isfinite(gradient).all()
        np.testing.assert_allclose(
            losses.cyclic_label_loss(sure, 1 - label), (200 + 200 + 200 - np.log(2)) / 3, rtol=1e-5
        )

    @chex.variants(with_jit=True, without_jit=True)
    def test_cyclic_style_loss(self):
        found = self.variant(losses.cyclic_style_loss)(jnp.array(LOGITS), jnp.array(OTHER))
        np.testing.assert_allclose(found, ((LOGITS - OTHER) ** 2).mean(), rtol=1e-6)

    def test_cyclic_losses_leave_what_was_decoded_alone(self):
        for loss in (losses.cyclic_label_loss, losses.cyclic_style_loss):
            again, first = jax.grad(loss, argnums=(0, 1))(jnp.array(LOGITS), jnp.array(OTHER))
            assert np.abs(again).max() > 0
            np.testing.assert_array_equal(first, 0.0)

    @chex.variants(with_jit=True, without_jit=True)
    def test_penalties_on_the_style(self):
        style = jnp.array(LOGITS)
        np.testing.assert_allclose(self.variant(losses.frobenius_penalty)(style), np.linalg.norm(LOGITS), rtol=1e-6)
        np.testing.assert_allclose(
            self.variant(losses.mean_square_penalty)(style), (LOGITS**2).sum(axis=1).mean(), rtol=1e-6
        )
        twice = jnp.concatenate([style, style])
        np.testing.assert_allclose(losses.frobenius_penalty(twice), 2**0.5 * np.linalg.norm(LOGITS), rtol=1e-6)
        np.testing.assert_allclose(losses.mean_square_penalty(twice), losses.mean_square_penalty(style), rtol=1e-6)

    def test_the_penalty_of_no_style_has_a_gradient(self):
        np.testing.assert_array_equal(jax.grad(losses.frobenius_penalty)(jnp.zeros((3, 2))), 0.0)

    @chex.variants(with_jit=True, without_jit=True)
    def test_pairwise_mode_loss_is_the_loop_over_pairs(self):
        logits = np.random.default_rng(0).normal(size=(4, 3, 2))
        p = sigmoid(logits)
        total = 0.0
        for a in range(4):
            for b in range(a + 1, 4):
                total += -(p[b] * np.log(p[a]) + (1 - p[b]) * np.log(1 - p[a])).mean()
        found = self.variant(losses.pairwise_mode_loss)(jnp.array(logits))
        np.testing.assert_allclose(found, -2 / (4 * 3) * total, rtol=1e-5)

    def test_the_last_mode_is_a_target_alone(self):
        gradient = jax.grad(losses.pairwise_mode_loss)(jnp.array(LOGITS))
        assert np.abs(gradient[0]).max() > 0
        np.testing.assert_array_equal(gradient[1], 0.0)

    def test_one_class_is_refused(self):
        for loss, arguments in (
            (losses.pairwise_mode_loss, [jnp.ones((1, 4))]),
            (losses.cyclic_label_loss, [jnp.ones((3, 1)), jnp.ones((3, 1))]),
        ):
            with pytest.raises(InputError, match="give at least two classes"):
                loss(*arguments)

    @chex.variants(with_jit=True, without_jit=True)
    def test_head_distance_cost(self):
        heads = jnp.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
        cost = self.variant(losses.head_distance_cost)(heads, 5.0)
        np.testing.assert_allclose(cost, 0.0 + 4.0 + (5.0 - 18**0.5), rtol=1e-6)

    def test_heads_in_one_place_have_no_gradient_and_no_nan(self):
        gradient = jax.grad(losses.head_distance_cost)(jnp.array([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]]), 5.0)
        assert np.isfinite(gradient).all()
        np.testing.assert_allclose(gradient[2], [-2.0, 0.0])


@pytest.mark.parametrize("labelled", [False, True])
def test_style_mmd_is_its_definition(labelled):
    draw = np.random.default_rng(0)
    style, samples = draw.normal(size=(6, 3)), 2.0 * draw.normal(size=(6, 3)) + 1.0
    labels = softmax(draw.normal(size=(6, 4)))
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    unit = np.mean([np.sum((samples[i] - samples[j]) ** 2) for i, j in pairs])

    def kernel(a, b):
        return np.mean([s * unit / (s * unit + np.sum((a - b) ** 2)) for s in losses.MMD_SCALES])

    def alike(i, j):
        return labels[i] @ labels[j] if labelled else 1.0

    expected = np.mean(
        [
            alike(i, j)
            * (kernel(style[i], style[j]) + kernel(samples[i], samples[j]) - 2 * kernel(style[i], samples[j]))
            for i, j in pairs
        ]
    )
    given = [jnp.asarray(rows, jnp.float32) for rows in (style, samples, labels)]
    found = losses.style_mmd(*given) if labelled else losses.style_mmd(*given[:2])
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_style_mmd_with_labels_sees_styles_that_depend_on_the_label():
    """All styles together match the prior; those of each class are one half of it."""
    draw = np.random.default_rng(1)
    style, samples = (jnp.asarray(draw.normal(size=(400, 1)), jnp.float32) for _ in range(2))
    labels = jax.nn.one_hot((style[:, 0] > 0).astype(int), 2, dtype=jnp.float32)
    assert float(losses.style_mmd(style, samples)) < 0.01
    assert float(losses.style_mmd(style, samples, labels)) > 0.05


def test_style_mmd_of_a_single_style_or_equal_ones_is_0():
    for styles in (jnp.ones((1, 2)), jnp.ones((3, 2))):
        value, gradient = jax.value_and_grad(lambda z: losses.style_mmd(z, z, jnp.ones((len(z), 1))))(styles)
        assert float(value) == 0.0
        assert np.isfinite(gradient).all()
