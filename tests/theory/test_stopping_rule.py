"""Gradient descent stopped at a loss: the threshold, the way to the end point, and bad input."""

from dataclasses import replace

import numpy as np
import pytest

import ptft
from ptft.experiments import Setting
from ptft.simulation import sampled_inputs, sampled_teacher
from ptft.stopping_rule import averages, stopped_training

SETTING = Setting(omega=0.5)


def by_hand(setting, alpha, d, seed, loss, learning_rate):
    """The first epoch of plain gradient descent on the mean squared error at which the loss is low enough."""
    X = sampled_inputs(alpha, d, seed)
    beta_pt, beta_ft = sampled_teacher(setting.teacher, d, seed)
    start = ptft.fine_tuning_weights(ptft.pretrained_weights(beta_pt, setting.init), setting.gamma_ft)
    u, v, p, q = start.w1_plus, start.w2_plus, start.w1_minus, start.w2_minus
    for epoch in range(100_000):
        misfit = X @ (u * v - p * q - beta_ft)
        if np.mean(misfit**2) <= loss:
            return epoch, np.mean((u * v - p * q - beta_ft) ** 2)
        g = learning_rate * 2 * X.T @ misfit / len(X)
        u, v, p, q = u - g * v, v - g * u, p + g * q, q + g * p
    raise AssertionError("not reached")


def test_training_stops_at_the_first_epoch_below_the_threshold():
    (point,) = stopped_training(SETTING, 0.4, 60, 1, [1e-3])
    epochs, mse = by_hand(SETTING, 0.4, 60, 1, 1e-3, 0.5)
    assert point.reached and point.epochs == epochs and point.mse == pytest.approx(mse, rel=1e-10)


def test_thresholds_one_after_another_are_those_alone():
    together = stopped_training(SETTING, 0.4, 60, 1, [1e-2, 1e-4])
    (alone,) = stopped_training(SETTING, 0.4, 60, 1, [1e-4])
    assert together[1].epochs == alone.epochs and together[1].mse == pytest.approx(alone.mse, rel=1e-10)


def test_small_steps_and_a_small_loss_lead_to_the_end_point_of_simulate():
    coarse, fine = (stopped_training(SETTING, 0.3, 60, 2, [1e-12], rate)[0] for rate in (0.4, 0.05))
    assert fine.distance < 0.2 * coarse.distance < 0.01  # what is left is the finite step
    end = ptft.simulate(SETTING.teacher, SETTING.init, 0.3, 60, 2)
    assert fine.end_mse == pytest.approx(end.mse, rel=1e-8) and fine.end_method in ("amp", "newton")


def test_training_that_runs_out_of_epochs_or_diverges_says_so():
    short, later = stopped_training(SETTING, 0.4, 60, 1, [1e-6, 1e-8], max_epochs=10)
    assert not short.reached and not later.reached and short.epochs == later.epochs == 10
    wild, after = stopped_training(SETTING, 0.4, 60, 1, [1e-6, 1e-8], learning_rate=100.0)
    assert not wild.reached and not after.reached and wild.epochs == after.epochs


def test_a_teacher_without_active_coordinates_is_learned_at_once():
    seed = next(s for s in range(100) if not sampled_teacher(Setting(0.01).teacher, 20, s)[1].any())
    (point,) = stopped_training(Setting(0.01), 0.5, 20, seed)
    assert point.reached and point.epochs == 0 and point.mse == point.distance == point.end_mse == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": [1e-4, 1e-3]}, r"losses = \[0.0001, 0.001\] is not allowed: it must be decreasing"),
        ({"losses": [0.0]}, r"losses = 0\. is not allowed"),
        ({"alpha": 2.0}, r"alpha = 2\. is not allowed"),
        ({"max_epochs": 0}, "max_epochs = 0 is not allowed"),
        ({"learning_rate": -1.0}, r"learning_rate = -1\. is not allowed"),
        ({"setting": Setting(pretrained=False)}, "it must be one with pretraining"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"setting": SETTING, "alpha": 0.4, "d": 20, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        stopped_training(**arguments)


def test_averages_are_ratios_of_mean_errors():
    one, other = stopped_training(SETTING, 0.4, 40, 1)[0], stopped_training(SETTING, 0.4, 40, 2)[0]
    both = averages([one, other])
    assert both.ratio == pytest.approx((one.mse + other.mse) / (one.end_mse + other.end_mse))
    assert both.distance == pytest.approx((one.distance + other.distance) / 2)
    assert averages([replace(one, mse=0.0, end_mse=0.0)]).ratio == 1
    assert averages([replace(one, mse=1.0, end_mse=0.0)]).ratio == np.inf
    with pytest.raises(ValueError, match="the thresholds of the points"):
        averages([one, replace(one, loss=1.0)])
