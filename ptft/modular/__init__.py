"""Networks on modular arithmetic, whose features are known: frequencies of the numbers modulo p.

Tasks with chosen frequencies, a quadratic network and a Transformer, training in two stages, and what can be proved.
Import it explicitly, ``from ptft import modular``: it needs torch, which ``pip install ptft[vision]`` brings.
"""

from ptft.extras import needs_extra

with needs_extra("vision", __name__):
    import torch  # noqa: F401

from ptft.modular.group import characters, effective_frequencies, power_by_frequency, power_of_sums, share
from ptft.modular.networks import (
    Examples,
    Network,
    QuadraticNetwork,
    Transformer,
    attention_of,
    drawn_pairs,
    examples,
    new_quadratic,
    new_transformer,
    norms,
    scaled,
    with_new_readout,
)
from ptft.modular.tasks import RELATIONS, ClassTask, ScalarTask, likeness, shuffled, sizes_of, two_tasks
from ptft.modular.training import ModularRun, train

__all__ = [
    "RELATIONS",
    "ClassTask",
    "Examples",
    "ModularRun",
    "Network",
    "QuadraticNetwork",
    "ScalarTask",
    "Transformer",
    "attention_of",
    "characters",
    "drawn_pairs",
    "effective_frequencies",
    "examples",
    "likeness",
    "new_quadratic",
    "new_transformer",
    "norms",
    "power_by_frequency",
    "power_of_sums",
    "scaled",
    "share",
    "shuffled",
    "sizes_of",
    "train",
    "two_tasks",
    "with_new_readout",
]
