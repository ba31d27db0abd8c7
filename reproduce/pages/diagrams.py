"""Block diagrams of the models in SVG, drawn from their tables of phases: networks, losses, optimizers.

Every phase has a number. A filled number on a network says that the phase trains it; an open number marks the output
to which the phase's loss is applied.
"""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path

from reproduce.pages.markdown import ROOT
from reproduce.pages.observed_phases import CLASSES, ObservedModel, ObservedPhase, observe
from reproduce.pages.phase_table import NAMES, phase_table
from reproduce.pages.svg import Spot, badge, text

__all__ = ["DIAGRAMS", "diagram_path", "draw_diagram", "write_diagrams"]

DIAGRAMS: Mapping[str, tuple[str, str, str]] = {
    "unsupervised-plain": ("unsupervised", "plain", "Adversarial autoencoder, as in the paper (figure 1)"),
    "unsupervised": ("unsupervised", "default", "Adversarial autoencoder, preset default"),
    "label-regularized": ("label_regularized", "default", "A part of the prior for each class (figure 3)"),
    "supervised-plain": ("supervised", "plain", "Supervised, as in the paper (figure 6)"),
    "supervised": ("supervised", "default", "Supervised, with a conditional discriminator"),
    "semi-supervised-plain": ("semi_supervised", "plain", "Semi-supervised, as in the paper (figure 8)"),
    "semi-supervised": ("semi_supervised", "default", "Semi-supervised, preset default"),
    "clustering": ("clustering", "default", "Clustering without labels (section 6)"),
    "dim-reduction": ("dim_reduction", "default", "Dimensionality reduction (figure 10)"),
    "likelihood": ("likelihood", "default", "Log-likelihood of samples (section 3)"),
    "autoencoder": ("autoencoder", "default", "Autoencoder without a discriminator"),
}
"""Model, preset and title of each diagram, by file name."""

WIDTH = 880
COLUMNS = {"image": 30, "encoder": 130, "code": 310, "decoder": 510, "output": 680}
SAMPLES_X, BRANCH_X, LABEL_BRANCH_X, HEADS_X = 335, 418, 440, 470
CODE_WIDTH, CODE_HEIGHT, NETWORK_WIDTH, NETWORK_HEIGHT = 90, 36, 110, 96


def write_diagrams() -> None:
    """Write every diagram to its file."""
    for name in DIAGRAMS:
        diagram_path(name).write_text(draw_diagram(name), encoding="utf-8")


def diagram_path(name: str) -> Path:
    """Return the file of a diagram."""
    return ROOT / "docs" / "images" / f"model-{name}.svg"


def draw_diagram(name: str) -> str:
    """Return a diagram of `DIAGRAMS` as an SVG document."""
    model, preset, title = DIAGRAMS[name]
    found = observe(model, preset)
    drawing = Drawing(found)
    drawing.draw()
    table, end = phase_table(found, drawing.bottom + 30)
    height = end + 18
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
        f'height="{height:g}" font-family="Helvetica, Arial, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0 8 4 0 8z" fill="#444"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height:g}" fill="white"/>',
        text(16, 26, title, bold=True, anchor="start", size=15),
        text(WIDTH - 16, 26, f"{model}, preset {preset}; schedule {_schedule(found)}", anchor="end", colour="#666"),
        *drawing.parts,
        *table,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class Drawing:
    """Elements of the upper part: networks, codes and arrows."""

    def __init__(self, model: ObservedModel) -> None:
        """Place nothing yet."""
        self.model = model
        self.parts: list[str] = []
        self.numbers = {phase.name: number for number, phase in enumerate(model.phases, start=1)}
        self.has_y = model.encodes_label or model.decodes_label or model.labels_judged > 0
        self.middle = 175 if model.discriminators else 105
        self.bottom = 310 if "discriminator_y" in model.discriminators else self.middle + 75

    def draw(self) -> None:
        """Draw everything."""
        model = self.model
        spread = 42 if self.has_y else 0
        centre = COLUMNS["code"] + CODE_WIDTH / 2
        image = Spot(COLUMNS["image"] + 32, self.middle, 64, 64)
        encoder = self._network("encoder", COLUMNS["encoder"])
        style = Spot(centre, self.middle - spread, CODE_WIDTH, CODE_HEIGHT)
        label = Spot(centre, self.middle + spread, CODE_WIDTH, CODE_HEIGHT)
        self._box(image, "image x")
        self._views(image)
        self._arrow(image.right, encoder.left)
        self._box(style, f"style z, {model.config.network.latent_dim}-D", rounded=True)
        self._arrow((encoder.right[0], style.y), style.left)
        if self.has_y:
            self._draw_label(label, encoder)
        self._draw_decoder(style, label)
        if "discriminator_z" in model.discriminators:
            self._draw_discriminator("discriminator_z", 75, style, _prior(model))
            if model.labels_judged:
                self._label_to_discriminator(label)
        if "discriminator_y" in model.discriminators:
            self._draw_discriminator("discriminator_y", 275, label, "one-hot p(y)")

    def _draw_label(self, label: Spot, encoder: Spot) -> None:
        clusters = getattr(self.model.config, "num_clusters", None)
        if self.model.encodes_label:
            self._box(label, f"cluster y, {clusters}" if clusters else "label y", rounded=True)
            self._arrow((encoder.right[0], label.y), label.left)
            judged = self._phases(lambda one: one.called == ("encoder",) or "generated_label" in one.terms)
            self._open(judged, label.left[0] - 14 - 24 * (len(judged) - 1), label.y + 16)
        else:
            unlabelled = self.model.labels_judged > CLASSES  # an extra class for images without a label
            self._box(label, "label or none" if unlabelled else "true label y", rounded=True, dashed=True)
            if not self.model.decodes_label:
                self._path([label.right, (LABEL_BRANCH_X, label.y)], tip=False)

    def _draw_decoder(self, style: Spot, label: Spot) -> None:
        decoder = self._network("decoder", COLUMNS["decoder"], widening=True)
        output = Spot(COLUMNS["output"] + 50, self.middle, 100, 64)
        self._box(output, "image x̂")
        self._arrow(decoder.right, output.left)
        self._open(self._phases(lambda phase: "decoder" in phase.called), output.right[0] + 18, output.y)
        if self.model.heads:
            self._draw_heads(style, label, decoder)
            return
        self._arrow(style.right, (decoder.left[0], style.y))
        if self.model.decodes_label:
            self._arrow(label.right, (decoder.left[0], label.y))

    def _draw_heads(self, style: Spot, label: Spot, decoder: Spot) -> None:
        x = HEADS_X
        heads = Spot(x, label.y, 40, CODE_HEIGHT)
        self._box(heads, "W", network=True)
        self._arrow(label.right, heads.left)
        trained = self._phases(lambda phase: "heads" in phase.trained)
        for place, phase in enumerate(trained):
            self._number(phase, x - 26 + 24 * place, heads.bottom[1] + 14, filled=True)
        self.parts.append(f'<circle cx="{x}" cy="{self.middle}" r="11" fill="white" stroke="#444"/>')
        self.parts.append(text(x, self.middle + 5, "+"))
        self._path([style.right, (x, style.y), (x, self.middle - 11)])
        self._arrow(heads.top, (x, self.middle + 11))
        self._arrow((x + 11, self.middle), decoder.left)

    def _draw_discriminator(self, name: str, y: float, code: Spot, prior: str) -> None:
        """Draw samples of the prior and the discriminator in a row above or below the codes, and the code's way."""
        samples = Spot(SAMPLES_X, y, 130, CODE_HEIGHT)
        critic = Spot(COLUMNS["decoder"] + NETWORK_WIDTH / 2, y, 150, 46)
        self._box(samples, prior, rounded=True, dashed=True)
        self._box(critic, NAMES[name], network=True)
        self._badges(name, critic)
        towards = 1 if y < self.middle else -1  # the codes' side of this row
        self._arrow((samples.right[0], y - 10 * towards), (critic.left[0], y - 10 * towards))
        self._branch(BRANCH_X, code.y, y + 2 * towards, critic.left[0])
        if name == "discriminator_z" and self.model.config.views.style_of == "clean":
            self.parts.append(
                text(BRANCH_X - 8, code.y - 26, "of clean images", anchor="end", colour="#666", size=11)
            )
        out = critic.right[0] + 40
        self._arrow(critic.right, (out, y))
        self.parts.append(text(out + 6, y + 4, "sample?", anchor="start"))
        self._open(self._phases(lambda phase: name in phase.called), out + 76, y)

    def _label_to_discriminator(self, label: Spot) -> None:
        """Draw the label's way to the discriminator of z."""
        start = LABEL_BRANCH_X
        self._branch(start, label.y, 75 + 15, COLUMNS["decoder"] + NETWORK_WIDTH / 2 - 75, dashed=True)
        note = "with their labels" if not self.model.encodes_label else "with y, constant"
        self.parts.append(text(start + 5, 112, note, anchor="start", colour="#666", size=11))

    def _branch(self, x: float, y: float, row: float, end: float, *, dashed: bool = False) -> None:
        """Draw a line that leaves the arrow at (x, y) for another row and ends at (end, row)."""
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="2.5" fill="#444"/>')
        self._path([(x, y), (x, row), (end, row)], dashed=dashed)

    def _network(self, name: str, left: float, *, widening: bool = False) -> Spot:
        spot = Spot(left + NETWORK_WIDTH / 2, self.middle, NETWORK_WIDTH, NETWORK_HEIGHT + (40 if self.has_y else 0))
        half, inner = spot.height / 2, spot.height / 2 - 14
        near, far = (inner, half) if widening else (half, inner)
        x, right = left, left + NETWORK_WIDTH
        corners = ((x, -near), (right, -far), (right, far), (x, near))
        points = " ".join(f"{across:g},{self.middle + down:g}" for across, down in corners)
        self.parts.append(f'<polygon points="{points}" fill="#eef2f8" stroke="#444"/>')
        self.parts.append(text(spot.x, self.middle - 6, name, bold=True))
        network = self.model.config.network
        self.parts.append(text(spot.x, self.middle + 10, "–".join(map(str, network.hidden)), colour="#666", size=11))
        self._badges(name, spot, self.middle + 28)
        return spot

    def _badges(self, network: str, spot: Spot, y: float | None = None) -> None:
        trained = self._phases(lambda phase: network in phase.trained)
        y = spot.bottom[1] if y is None else y
        for place, phase in enumerate(trained):
            self._number(phase, spot.x - 12 * (len(trained) - 1) + 24 * place, y, filled=True)

    def _views(self, image: Spot) -> None:
        views = self.model.config.views
        noise = f"noise {views.noise_std:g}" if views.noise_std else ""
        shift = f"shifts ≤ {views.max_shift}" if views.max_shift else ""
        for place, note in enumerate(one for one in (noise, shift) if one):
            self.parts.append(text(image.x, image.bottom[1] + 16 + 14 * place, note, colour="#666", size=11))

    def _phases(self, chosen: Callable[[ObservedPhase], bool]) -> list[ObservedPhase]:
        return [phase for phase in self.model.phases if chosen(phase)]

    def _open(self, phases: Iterable[ObservedPhase], x: float, y: float) -> None:
        for place, phase in enumerate(phases):
            self._number(phase, x + 24 * place, y, filled=False)

    def _number(self, phase: ObservedPhase, x: float, y: float, *, filled: bool) -> None:
        self.parts += badge(self.numbers[phase.name], x, y, filled=filled)

    def _box(
        self, spot: Spot, name: str, *, rounded: bool = False, dashed: bool = False, network: bool = False
    ) -> None:
        fill = "#eef2f8" if network else "white"
        look = f'fill="{fill}" stroke="#444"' + (' stroke-dasharray="4 3"' if dashed else "")
        x, y = spot.left[0], spot.top[1]
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{spot.width:g}" height="{spot.height:g}" '
            f'rx="{12 if rounded else 2}" {look}/>'
        )
        self.parts.append(text(spot.x, spot.y + 4, name, bold=network))

    def _arrow(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._path([start, end])

    def _path(self, points: Iterable[tuple[float, float]], *, dashed: bool = False, tip: bool = True) -> None:
        where = " ".join(f"{x:g},{y:g}" for x, y in points)
        look = (' stroke-dasharray="4 3"' if dashed else "") + (' marker-end="url(#tip)"' if tip else "")
        self.parts.append(f'<polyline points="{where}" fill="none" stroke="#444"{look}/>')


def _prior(model: ObservedModel) -> str:
    kind = str(model.config.prior.kind).replace("_", " ").replace("gaussian", "Gaussian")
    return f"{kind} p(z)"


def _schedule(model: ObservedModel) -> str:
    return str(model.config.optimizers.schedule)
