"""Pretraining and fine-tuning of a residual network on images (Section 6 and Appendix D of the paper).

Import it explicitly, ``from ptft import vision``: it needs torch, torchvision, safetensors and scikit-learn, which
``pip install ptft[vision]`` brings; the rest of the package does not.
"""

from ptft.extras import installed, needs_extra

with needs_extra("vision", __name__):
    import pandas  # noqa: F401
    import safetensors  # noqa: F401
    import torch  # noqa: F401

    installed("torchvision", "sklearn")  # which functions import that need them: they take longer than all the others

from ptft.trends import (
    BASELINE,
    Effect,
    by_seed,
    curve,
    differences,
    gains,
    paired_effect,
    sizes_of,
    slopes,
    tally,
    trend,
    values_of,
)
from ptft.vision.compaction import compact, has_bf16, restore
from ptft.vision.data import DATASETS, Dataset, Split, load, normalize, split_classes, split_dataset
from ptft.vision.image_folders import read_folder
from ptft.vision.protocol import (
    CONTROLS,
    DIGITS,
    KNOBS,
    SAMPLE_SIZES,
    UNTRAINED,
    Point,
    Protocol,
    fine_tune_point,
    grid,
    part,
    pretrain_point,
)
from ptft.vision.representation import (
    CONVENTIONS,
    MEASURED_ON,
    STAGES,
    activations,
    columns_of,
    dimensions,
    ensd,
    participation_ratio,
)
from ptft.vision.training import (
    FINE_TUNING,
    PRETRAINING,
    Stage,
    Training,
    accuracy,
    new_model,
    outputs_apart,
    recalibrate,
    scale_early_layers,
    scale_parameters,
    scale_readout,
    train,
)
from ptft.vision.trends import (
    ACCURACIES,
    causes,
    distance_from_published,
    knobs_of,
    scaling_order,
    signature,
    signatures,
    slopes_of_both,
)

__all__ = [
    "ACCURACIES",
    "BASELINE",
    "CONTROLS",
    "CONVENTIONS",
    "DATASETS",
    "DIGITS",
    "FINE_TUNING",
    "KNOBS",
    "MEASURED_ON",
    "PRETRAINING",
    "SAMPLE_SIZES",
    "STAGES",
    "UNTRAINED",
    "Dataset",
    "Effect",
    "Point",
    "Protocol",
    "Split",
    "Stage",
    "Training",
    "accuracy",
    "activations",
    "by_seed",
    "causes",
    "columns_of",
    "compact",
    "curve",
    "differences",
    "dimensions",
    "distance_from_published",
    "ensd",
    "fine_tune_point",
    "gains",
    "grid",
    "has_bf16",
    "knobs_of",
    "load",
    "new_model",
    "normalize",
    "outputs_apart",
    "paired_effect",
    "part",
    "participation_ratio",
    "pretrain_point",
    "read_folder",
    "recalibrate",
    "restore",
    "scale_early_layers",
    "scale_parameters",
    "scale_readout",
    "scaling_order",
    "signature",
    "signatures",
    "sizes_of",
    "slopes",
    "slopes_of_both",
    "split_classes",
    "split_dataset",
    "tally",
    "train",
    "trend",
    "values_of",
]
