"""Models on a model hub, by the generic mixin of huggingface_hub (extra `hub`)."""

import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aae_jax.errors import InputError, missing_extra
from aae_jax.networks import NO_MODULES, Modules
from aae_jax.saved.card import CARD_FILE, model_card
from aae_jax.saved.format import CONFIG_FILE, WEIGHTS_FILE
from aae_jax.saved.storage import load
from aae_jax.saved.writing import save_model
from aae_jax.text import printable, quoted

__all__ = ["from_anywhere", "push_to_hub"]

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def from_anywhere(name: str | os.PathLike[str], *, modules: Modules = NO_MODULES, **options: Any) -> Any:
    """Load a model from a folder, of those that come with the library, or from a hub: see `Model.from_pretrained`.

    Raises:
        InputError: There is no such model.
    """
    path = os.fspath(name)
    if REPOSITORY.fullmatch(path) and not os.path.lexists(path):
        return _from_hub(path, modules=modules, **options)
    if options:
        raise InputError(f"{next(iter(options))} is an option of a hub, but {quoted(path)} is no OWNER/NAME of one.")
    return load(path, modules=modules)


def _from_hub(repo_id: str, *, modules: Modules = NO_MODULES, **options: Any) -> Any:
    """Download a model and load it; `options` are those of `ModelHubMixin.from_pretrained`."""
    kind = _hub_model()
    return _guarded(repo_id, lambda: kind.from_pretrained(repo_id, modules=modules, **options)).model


def push_to_hub(
    model: Any,
    repo_id: str,
    *,
    summary: Mapping[str, Any] | None = None,
    weights: str = "float32",
    **options: Any,
) -> str:
    """Upload a model and its card, and return the address of the commit; `options` are those of the mixin.

    Raises:
        InputError: huggingface_hub is not installed, or the hub refuses.
    """
    held = _hub_model()(model, summary, weights)
    return str(_guarded(repo_id, lambda: held.push_to_hub(repo_id, **options)))


def _guarded(repo_id: str, act: Any) -> Any:
    """Return what `act` returns, with the hub's errors as one sentence."""
    import huggingface_hub.errors as hub_errors

    try:
        return act()
    except (hub_errors.HFValidationError, hub_errors.HfHubHTTPError, hub_errors.EntryNotFoundError, OSError) as error:
        said = printable(" ".join(str(error).split()))
        raise InputError(f"The model {repo_id!r} cannot be exchanged with the hub: {said}") from error


@functools.cache
def _hub_model() -> type[Any]:
    """Return the class that exchanges models with a hub.

    Raises:
        InputError: huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import ModelHubMixin, hf_hub_download
    except ImportError as error:
        raise missing_extra("huggingface_hub", "hub") from error

    class HubModel(ModelHubMixin):
        """A model with what its card says."""

        def __init__(self, model: Any, summary: Any = None, weights: Any = "float32") -> None:
            self.model, self.summary, self.weights = model, summary, weights

        def _save_pretrained(self, save_directory: Path) -> None:
            save_model(self.model, save_directory, weights=self.weights)
            card = model_card(self.model, self.summary)
            (Path(save_directory) / CARD_FILE).write_text(card, encoding="utf-8")

        @classmethod
        def _from_pretrained(cls, *, model_id: str, modules: Modules = NO_MODULES, **options: Any) -> Any:
            known = ("revision", "cache_dir", "force_download", "local_files_only", "token")
            chosen = {name: options[name] for name in known if name in options}
            places = [hf_hub_download(model_id, name, **chosen) for name in (CONFIG_FILE, WEIGHTS_FILE)]
            return cls(load(Path(places[0]).parent, modules=modules))

    return HubModel
