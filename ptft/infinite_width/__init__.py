"""Transfer learning in infinitely wide networks that learn features (arXiv:2507.04448).

Closed forms for linear networks, dynamical mean-field theory of two-layer ReLU networks, and finite networks trained
the same way. numpy and scipy are enough; only ``train(..., device="cuda")`` and the like need torch.
"""

from ptft.infinite_width.dmft import CARRY, Run, train, transfer
from ptft.infinite_width.linear import (
    KINDS,
    LinearRun,
    MeasuredLoss,
    budgeted_loss,
    feature_moment,
    fine_tuning_loss,
    kernel_end_point,
    optimal_gamma_1,
    regression_loss,
    rich_limit_loss,
    simulate_fine_tuning,
    source_coefficients,
    spike_size,
    train_linear,
)
from ptft.infinite_width.particles import (
    ACTIVATIONS,
    Particles,
    Task,
    arccosine_kernel,
    feature_kernel,
    finite_network,
    function_particles,
    kernel_regression,
    weight_particles,
)

__all__ = [
    "ACTIVATIONS",
    "CARRY",
    "KINDS",
    "LinearRun",
    "MeasuredLoss",
    "Particles",
    "Run",
    "Task",
    "arccosine_kernel",
    "budgeted_loss",
    "feature_kernel",
    "feature_moment",
    "fine_tuning_loss",
    "finite_network",
    "function_particles",
    "kernel_end_point",
    "kernel_regression",
    "optimal_gamma_1",
    "regression_loss",
    "rich_limit_loss",
    "simulate_fine_tuning",
    "source_coefficients",
    "spike_size",
    "train",
    "train_linear",
    "transfer",
    "weight_particles",
]
