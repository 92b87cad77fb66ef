"""ptft: how pretraining shapes the inductive bias of fine-tuning, in diagonal linear networks and beyond.

The rooms of the package, from what needs nothing to what needs all (an import only ever goes up this list, or to
another room of its group):

    arguments and files
        validation              checks of arguments, whose errors name parameter, value and range
        files                   files that are there whole or not at all
        extras                  what an extra brings, named where it is missing
    the penalty of fine-tuning
        initialization          the weights at the start, and the number k through which pretraining enters
        penalties               the penalty, its derivatives, its two measures and its proximal map
        regimes                 the two measures as places in a triangle
        network                 the weights, what gradient flow conserves, and training step by step
    the error in high dimensions
        teachers                joint laws of the coefficients of both tasks
        replica                 the two equations, solved by quadrature
        monte_carlo             the same from samples
        generalization          the error along the data scale, by either
        two_stages              the error after pretraining on finite and noisy data
        limits                  the l2 and the l1 end, where the error is known
        optimal_initialization  the initialization with the smallest error
        scaling                 tasks with power laws, and the exponents of their learning curves
    training on sampled data
        amp                     message passing and its state evolution
        designs                 laws of simulated inputs, Gaussian and others
        end_point               where training ends, with a certificate
        simulation              sampled teachers and data, and the end points on them
        experiments             the settings of the published experiments, and their predictions
        trends                  what a knob does, by comparisons that are paired over seeds
        agreement               simulation beside theory, and the statistics of the difference
        stopping_rule           what a threshold on the loss leaves of training
        regression              end points on a user's own data, with scikit-learn's interface
        real_tasks              pairs of tasks from tables that scikit-learn ships
        few_examples            the estimators beside others on few examples of these tasks, and the prediction
    beyond diagonal networks
        infinite_width/         the companion theory of infinitely wide networks that learn features
        two_theories            one experiment for both theories
        vision/                 residual networks on images
        modular/                networks on modular arithmetic, whose features are known
    what is done with all this
        checks/                 both sides of each identity: what tests assert, chapters print and figures draw
        sweeps/                 many points in parallel, resumable, and the tables that store them
        figures/                every figure
        book/                   what only the pages of the book need

The theory needs numpy, scipy and matplotlib. What is not in `__all__` is imported by the name of its module, as in
``from ptft import figures``; `ptft.vision`, `ptft.modular` and `ptft.sweeps` say which extra brings what they need.
`ptft.FineTunedRegression` and `ptft.FineTunedRegressionCV` import scikit-learn where they are first asked for.
"""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptft.amp import StateEvolution, message_passing, state_evolution
from ptft.designs import Design
from ptft.end_point import EndPoint, min_penalty
from ptft.generalization import replica_curve
from ptft.initialization import Initialization
from ptft.monte_carlo import MonteCarloCurve
from ptft.network import TrainingRun, Weights, fine_tuning_weights, pretrained_weights, pretraining_weights, train
from ptft.optimal_initialization import BestInitialization, best_initialization
from ptft.penalties import ell_order, penalty, penalty_grad, penalty_hess, pretraining_dependence, prox
from ptft.replica import ReplicaCurve
from ptft.simulation import SimulatedPoint, TwoStagePoint, simulate, simulate_two_stages
from ptft.teachers import GaussianMixture, SingleTask, SpikeSlab, TeacherGroups
from ptft.two_stages import TwoStageCurve, two_stage_curve

if TYPE_CHECKING:
    from ptft.regression import FineTunedRegression as FineTunedRegression
    from ptft.regression import FineTunedRegressionCV as FineTunedRegressionCV

try:
    __version__ = version("ptft")
except PackageNotFoundError:  # from a clone that is not installed
    _project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    __version__ = str(_project["project"]["version"])
__all__ = [
    "BestInitialization",
    "Design",
    "EndPoint",
    "GaussianMixture",
    "Initialization",
    "MonteCarloCurve",
    "ReplicaCurve",
    "SimulatedPoint",
    "SingleTask",
    "SpikeSlab",
    "StateEvolution",
    "TeacherGroups",
    "TrainingRun",
    "TwoStageCurve",
    "TwoStagePoint",
    "Weights",
    "best_initialization",
    "ell_order",
    "fine_tuning_weights",
    "message_passing",
    "min_penalty",
    "penalty",
    "penalty_grad",
    "penalty_hess",
    "pretrained_weights",
    "pretraining_dependence",
    "pretraining_weights",
    "prox",
    "replica_curve",
    "simulate",
    "simulate_two_stages",
    "state_evolution",
    "train",
    "two_stage_curve",
]
NEED_LEARN = ("FineTunedRegression", "FineTunedRegressionCV")  # not in __all__: they import scikit-learn


def __getattr__(name: str) -> Any:
    if name in NEED_LEARN:
        from ptft import regression

        return getattr(regression, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
