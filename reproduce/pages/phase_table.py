"""The table of phases under a diagram: names, networks trained, optimizers, and loss terms in words."""

from reproduce.pages.observed_phases import ObservedModel, ObservedPhase
from reproduce.pages.svg import badge, text

__all__ = ["NAMES", "phase_table"]

ROW, LINE, LOSS_LENGTH = 24, 16, 56
NAMES = {
    "encoder": "encoder",
    "decoder": "decoder",
    "heads": "heads W",
    "mode_decoder": "mode decoder",
    "discriminator_z": "discriminator of z",
    "discriminator_y": "discriminator of y",
}
RECONSTRUCTIONS = {
    "half_squared_error": "½ squared error",
    "mean_squared_error": "mean squared error",
    "bernoulli": "Bernoulli cross-entropy",
}
ADVERSARIAL = {
    "discriminator_z": "cross-entropy: prior sample or style?",
    "discriminator_y": "cross-entropy: one-hot sample or label?",
}
TERMS = {
    "reconstruction/generated_label": "class of generated images",
    "generator/z": "z deceives its discriminator",
    "generator/y": "y deceives its discriminator",
    "generator/style_mmd": "MMD of z and prior",
    "generator/consistency": "consistency of views",
    "generator/propagation": "propagated labels",
    "generator/certainty": "certain clusters",
    "generator/balance": "balanced clusters",
    "classification/error": "cross-entropy of y and the true label",
    "head_distance/cost": "cost of heads that are too close",
}
"""Loss terms by phase and metric."""
REPORTED = ("reconstruction/error",)
"""Metrics that stand for a term described by the configuration."""


def phase_table(model: ObservedModel, top: float) -> tuple[list[str], float]:
    """Return the table of phases (number, name, networks trained, optimizer, loss) and where it ends."""
    columns = (56, 172, 372, 524)
    parts = [
        text(x, top, title, anchor="start", colour="#666", size=12)
        for x, title in zip(columns, ("phase", "trains", "optimizer", "loss"), strict=True)
    ]
    y = top
    for number, phase in enumerate(model.phases, start=1):
        y += ROW
        parts += badge(number, 32, y - 4.5, filled=True)
        trained = ", ".join(_slowed(model, phase, one) for one in phase.trained)
        for x, cell in zip(columns, (phase.name, trained, _optimizer(phase)), strict=False):
            parts.append(text(x, y, cell, anchor="start", size=12, bold=x == columns[0]))
        for place, line in enumerate(_wrapped(_loss(model, phase))):
            y += LINE if place else 0
            parts.append(text(columns[-1], y, line, anchor="start", size=12))
    return parts, y


def _slowed(model: ObservedModel, phase: ObservedPhase, network: str) -> str:
    """Return the name of a network, with its share of the learning rate if it has one."""
    share = model.config.optimizers.encoder_share
    slowed = network == "encoder" and phase.name == "reconstruction" and share != 1
    return NAMES[network] + (f" × {share:g}" if slowed else "")


def _wrapped(terms: list[str]) -> list[str]:
    """Return the sum of the terms in lines of at most `LOSS_LENGTH` characters."""
    lines = [terms[0]]
    for term in terms[1:]:
        if len(lines[-1]) + len(term) + 3 <= LOSS_LENGTH:
            lines[-1] += f" + {term}"
        else:
            lines.append(f"+ {term}")
    return lines


def _loss(model: ObservedModel, phase: ObservedPhase) -> list[str]:
    """Return the terms of a phase's loss in words."""
    if phase.name in ADVERSARIAL:
        return [ADVERSARIAL[phase.name]]
    terms = [RECONSTRUCTIONS[model.config.weights.reconstruction_loss]] if phase.name == "reconstruction" else []
    names = [f"{phase.name}/{term}" for term in phase.terms]
    return terms + sorted((TERMS[name] for name in names if name not in REPORTED), key=list(TERMS.values()).index)


def _optimizer(phase: ObservedPhase) -> str:
    config = phase.optimizer
    momentum = f"β₁ {config.momentum:g}" if config.kind == "adam" else f"momentum {config.momentum:g}"
    return f"{'Adam' if config.kind == 'adam' else 'SGD'} {config.learning_rate:g}, {momentum}"
