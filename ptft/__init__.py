"""ptft: how pretraining shapes the inductive bias of fine-tuning, in diagonal linear networks and beyond.

The theory needs numpy, scipy and matplotlib. `ptft.vision` needs torch, torchvision and scikit-learn, and is imported
by name.
"""

from importlib.metadata import version

from ptft.amp import StateEvolution, message_passing, state_evolution
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

__version__ = version("ptft")
__all__ = [
    "BestInitialization",
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
