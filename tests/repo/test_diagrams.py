"""Block diagrams of docs/models.md: what is observed of the phases, and that the files are what is drawn."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from aae_jax.models import MODELS
from reproduce.pages.diagrams import DIAGRAMS, diagram_path, draw_diagram
from reproduce.pages.observed_phases import observe

ROOT = Path(__file__).resolve().parents[2]


def test_losses_are_observed() -> None:
    found = observe("semi_supervised")
    assert [phase.name for phase in found.phases] == [
        "reconstruction",
        "discriminator_z",
        "discriminator_y",
        "generator",
        "classification",
    ]
    generator = found.phases[3]
    assert generator.trained == ("encoder",)
    assert set(generator.called) == {"encoder", "discriminator_z", "discriminator_y"}
    assert {"z", "y", "consistency"} <= set(generator.terms)
    assert found.encodes_label
    assert found.decodes_label
    assert not found.heads


def test_labels_of_a_conditional_discriminator_are_observed() -> None:
    assert observe("supervised").labels_judged == 10
    assert observe("supervised", "plain").labels_judged == 0
    assert observe("label_regularized").labels_judged == 11


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_diagram_is_what_its_phases_say(name: str) -> None:
    drawn = draw_diagram(name)
    assert diagram_path(name).read_text(encoding="utf-8") == drawn, "run: uv run python -m reproduce.pages"
    texts = [element.text for element in ElementTree.fromstring(drawn).iter() if element.text]
    model, preset, title = DIAGRAMS[name]
    assert title in texts
    assert all(phase.name in texts for phase in observe(model, preset).phases)
    assert ("discriminator of y" in texts) == (model in ("semi_supervised", "clustering", "dim_reduction"))


def test_every_model_has_a_diagram_on_its_page() -> None:
    assert {model for model, _, _ in DIAGRAMS.values()} == {entry.name for entry in MODELS}
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert set(re.findall(r"images/model-([\w-]+)\.svg", page)) == set(DIAGRAMS)
