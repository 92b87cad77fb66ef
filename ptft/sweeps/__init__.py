"""Sweeps over many points, in parallel and resumable, and the tables that store their results.

``python -m ptft.sweeps NAME`` runs one of `NAMES`, each a module of this package that holds its `Sweep`. These modules
need the extra ``ptft[sweep]``, those on images ``ptft[vision]``, and a scheduler ``ptft[cluster]``.
"""

NAMES = (
    "diagonal",
    "two-stages",
    "monte-carlo",
    "vision",
    "rich-transfer",
    "adapted-kernels",
    "modular",
    "scaling-laws",
    "your-own-data",
)
