"""Figures of runs and models: functions of arrays that return a `Figure`, without pyplot or global state.

The functions are those in `__all__` of the modules listed here.
"""

from aae_jax.plotting_backend import neutral_backend

with neutral_backend():
    from aae_jax.figures import classification, clusters, codes, comparison, curves, health, images, manifold, scatter
    from aae_jax.figures import transfer as transfer_figures
    from aae_jax.figures.classification import *
    from aae_jax.figures.clusters import *
    from aae_jax.figures.codes import *
    from aae_jax.figures.comparison import *
    from aae_jax.figures.curves import *
    from aae_jax.figures.health import *
    from aae_jax.figures.images import *
    from aae_jax.figures.manifold import *
    from aae_jax.figures.scatter import *
    from aae_jax.figures.style import save_figure
    from aae_jax.figures.transfer import *

__all__ = ["save_figure"]
__all__ += classification.__all__
__all__ += clusters.__all__
__all__ += codes.__all__
__all__ += comparison.__all__
__all__ += curves.__all__
__all__ += health.__all__
__all__ += images.__all__
__all__ += manifold.__all__
__all__ += scatter.__all__
__all__ += transfer_figures.__all__
