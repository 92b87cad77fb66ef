"""Fine-tuning on the features of trained networks, linear and ReLU."""

import numpy as np
import pytest

from ptft.checks import adapted_kernels as checks
from ptft.infinite_width import (
    MeasuredLoss,
    Task,
    arccosine_kernel,
    budgeted_loss,
    fine_tuning_loss,
    kernel_regression,
    kernel_transfer,
    source_coefficients,
    spike_size,
)
from ptft.infinite_width.kernel_transfer import fine_tune_linear, pretrain_linear, solve_point
from ptft.trends import effect

# --- linear networks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nu_1", [0.3, 0.6, 1.5])
def test_wide_networks_end_with_the_features_of_the_exact_set(nu_1):
    gamma_1 = 2.0
    features = pretrain_linear(gamma_1, nu_1, D=40, seed=1)
    s, g = features.s, features.g
    assert [s @ s, g @ g, s @ g] == pytest.approx([1, 1, 0], abs=1e-12)
    assert features.nu_1 == pytest.approx(min(nu_1, 1), abs=0.2 if nu_1 < 1 else 1e-12)
    c1, c2, c3 = source_coefficients(gamma_1, features.nu_1)
    M = np.eye(40) + c2 * np.outer(s, s) + c1 * (np.outer(s, g) + np.outer(g, s)) + c3 * np.outer(g, g)
    assert features.M == pytest.approx(M, abs=1e-6)
    assert features.spike == pytest.approx(float(spike_size(gamma_1, features.nu_1)), abs=1e-6)


def test_finite_networks_decide_for_the_exact_set():
    N, gamma_1 = 3000, 5.0
    features = pretrain_linear(gamma_1, 0.5, D=24, N=N, seed=0)
    exact, caption = (float(spike_size(gamma_1, features.nu_1, kind)) for kind in ("exact", "caption"))
    error = 4 * np.sqrt(2 / N) * (1 + exact)
    assert abs(features.spike - exact) < error < abs(features.spike - caption)
    rest = np.linalg.eigvalsh(features.M)[:-1]  # a random matrix around the identity
    assert np.all(np.abs(rest - 1) < 3 * np.sqrt(24 / N))


def test_the_same_seed_gives_the_same_source_data_whatever_the_network():
    one, other = (pretrain_linear(1.0, 0.5, D=12, N=N, seed=3) for N in (None, 200))
    assert one.s == pytest.approx(other.s) and one.nu_1 == other.nu_1


@pytest.mark.parametrize(("alphas", "relative_ridge"), [((0.8, 0.0), 0.0), ((0.6, 0.5), 0.0), ((0.8, 0.0), 0.1)])
def test_fine_tuning_on_trained_features_has_the_predicted_loss(alphas, relative_ridge):
    features = pretrain_linear(4.0, 0.5, D=150, seed=2)
    measured = fine_tune_linear(features, [0.3, 0.8], alphas, relative_ridge, draws=24)
    nu_1 = features.nu_1
    ridge = relative_ridge * (1 + spike_size(4.0, nu_1))
    expected = fine_tuning_loss(measured.nu_2, alphas, source_coefficients(4.0, nu_1), ridge)
    assert np.all(np.abs(measured.mean - expected) < 4 * measured.se)
    if relative_ridge:
        assert expected == pytest.approx(budgeted_loss(measured.nu_2, alphas, 4.0, nu_1, relative_ridge))


def test_targets_have_the_alignments_that_were_asked_for():
    """Without the identity in M nothing but the component along u is learned: the loss is 1 - (u.a)^2."""
    features = pretrain_linear(1e5, 0.5, D=100, seed=0)
    for alphas in ((0.9, 0.0), (0.5, -0.5), (0.0, 1.0)):
        along = np.sqrt(features.nu_1) * alphas[0] + np.sqrt(1 - features.nu_1) * alphas[1]
        measured = fine_tune_linear(features, 0.9, alphas, relative_ridge=1e-3, draws=20)
        assert measured.mean == pytest.approx(1 - along**2, abs=0.03)


def test_training_that_does_not_converge_is_reported(monkeypatch):
    monkeypatch.setattr(kernel_transfer, "TIMES", np.array([0.0, 1e-3]))
    with pytest.raises(RuntimeError, match="gamma_1 = 1 on 5 examples in D = 10 did not converge"):
        pretrain_linear(1.0, 0.5, D=10, N=50)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pretrain_linear(0.0, 0.5), "gamma_1 = 0. is not allowed"),
        (lambda: pretrain_linear(1.0, -0.5), "nu_1 = -0.5 is not allowed"),
        (lambda: pretrain_linear(1.0, 0.5, D=1), "D = 1 is not allowed"),
        (lambda: fine_tune_linear(pretrain_linear(1.0, 0.5, D=8), 0.0), "nu_2 = 0. is not allowed"),
        (lambda: fine_tune_linear(pretrain_linear(1.0, 0.5, D=8), 0.5, (1.0, 1.0)), r"alpha_s\^2 \+ alpha_g\^2 = 2"),
        (lambda: fine_tune_linear(pretrain_linear(1.0, 0.5, D=8), 0.5, draws=1), "draws = 1 is not allowed"),
        (lambda: fine_tune_linear(pretrain_linear(1.0, 0.5, D=8), 0.5, relative_ridge=-1.0), "relative_ridge = -1."),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_targets_that_are_measured_together_have_the_losses_that_they_have_alone():
    features, a_s = pretrain_linear(3.0, 0.5, D=20), np.array([0.0, 0.5, 0.9])
    together = fine_tune_linear(features, [0.3, 0.6], (a_s, 0.1), 0.05, draws=4, seed=1)
    for i, a in enumerate(a_s):
        alone = fine_tune_linear(features, [0.3, 0.6], (a, 0.1), 0.05, draws=4, seed=1)
        assert together[i].mean == pytest.approx(alone.mean, rel=1e-9)
        assert together[i].se == pytest.approx(alone.se, rel=1e-7)


def test_the_check_of_spikes_tells_the_sets_apart():
    trained = [pretrain_linear(5.0, 0.5, D=24, N=3000), pretrain_linear(20.0, 0.4, D=24)]
    assert checks.spikes(trained, [5.0, 20.0]).holds
    assert not checks.spikes(trained, [5.0, 20.0], "caption").holds
    assert not checks.spikes(trained, [20.0, 5.0]).holds


def test_the_check_of_collapsed_features_fails_without_the_budget_that_collapses_them():
    rich = pretrain_linear(1e5, 0.5, D=100)
    with_ridge, without = (fine_tune_linear(rich, [0.3, 0.8], (0.8, 0.0), r) for r in (0.01, 0.0))
    assert checks.collapsed_losses(with_ridge, rich.nu_1, (0.8, 0.0)).holds
    assert not checks.collapsed_losses(without, rich.nu_1, (0.8, 0.0)).holds


def test_collapsed_features_are_checked_at_several_alignments():
    rich, several = pretrain_linear(1e5, 0.5, D=100), (np.array([0.8, 0.6]), np.array([0.0, 0.6]))
    measured = fine_tune_linear(rich, [0.3, 0.8], several, 0.01)
    assert checks.collapsed_losses(measured, rich.nu_1, several).error.shape == (2, 2)
    assert checks.collapsed_losses(measured, rich.nu_1, several).holds
    assert not checks.collapsed_losses(measured, rich.nu_1, (several[0], -several[1])).holds


def test_fitting_one_number_to_few_examples_adds_a_loss_that_the_limit_leaves_out():
    rich, P = pretrain_linear(1e5, 0.5, D=100), 20
    measured = fine_tune_linear(rich, P / 100, (0.8, 0.0), 0.01, draws=400)
    limit = 1 - rich.nu_1 * 0.8**2
    assert abs(measured.mean - limit) > measured.half_width
    assert abs(measured.mean - limit - limit / P) < measured.half_width


def test_the_ends_of_intervals_are_those_of_the_furthest_setting():
    rng = np.random.default_rng(0)
    measured = MeasuredLoss(np.array([0.2, 0.6]), rng.uniform(0.5, 1.0, (3, 2, 9)))
    theory = rng.uniform(0.5, 1.0, (3, 2))
    low, high = checks.interval_ends(measured, theory, theory)
    each = [(measured[i].mean - theory[i], measured[i].half_width) for i in range(3)]
    assert low == pytest.approx(np.min([(d - h) / t for (d, h), t in zip(each, theory, strict=True)], axis=0))
    assert high == pytest.approx(np.max([(d + h) / t for (d, h), t in zip(each, theory, strict=True)], axis=0))


def test_a_finite_number_of_dimensions_and_of_neurons_raises_the_loss():
    """Beside the formula for infinitely many of both; the same source and target data with and without width."""
    above = []
    for N in (None, 1000):
        features = pretrain_linear(5.0, 0.5, D=40, N=N)
        measured = fine_tune_linear(features, [0.3, 0.6], (0.9, 0.1), draws=400)
        theory = fine_tuning_loss(measured.nu_2, (0.9, 0.1), source_coefficients(5.0, features.nu_1))
        above.append(checks.excess(measured, theory))
        assert above[-1].shape == (400,)
    assert effect(above[0], 1).verdict == effect(above[1] - above[0], 1).verdict == "agree"


# --- ReLU networks --------------------------------------------------------------------------------------------------


def signs(D, P, P_test, seed):
    """Telling the sign of the first coordinate, which is not small; as many of one label as of the other."""
    rng = np.random.default_rng(seed)

    def half(P):
        X = rng.standard_normal((P, D))
        y = np.tile([-1.0, 1.0], P // 2)
        X[:, 0] = y * (1 + np.abs(X[:, 0]))
        return X, y

    return Task(*half(P), *half(P_test))


@pytest.fixture(scope="module")
def tasks():
    return signs(8, 40, 40, 0), signs(8, 32, 100, 1)


def losses(rows, **chosen):
    return np.array([row["loss"] for row in rows if all(row[name] == value for name, value in chosen.items())])


def test_without_pretraining_it_is_regression_with_the_arccosine_kernel(tasks):
    source, target = tasks
    rows = kernel_transfer.transfer_losses(source, target, 0.0, [32], draws=2, S=100, N=20_000)
    f = kernel_regression(arccosine_kernel(target.X), arccosine_kernel(target.X_test, target.X), target.y)
    expected = np.mean((f - target.y_test) ** 2)
    assert losses(rows, features="mean field") == pytest.approx(expected)  # all of the pool, in whatever order
    assert losses(rows, features="network") == pytest.approx(expected, rel=0.03)
    assert {row["source_loss"] for row in rows} == {1.0}


def test_pretraining_on_the_same_task_helps_in_theory_and_in_a_finite_network():
    drawn, target = signs(40, 160, 2, 0), signs(40, 32, 100, 1)
    source = Task(drawn.X, drawn.X[:, 0], drawn.X, drawn.X[:, 0])  # the coordinate of which the target takes the sign
    options = {"P_2": [8, 32], "draws": 6, "S": 1000, "N": 1000, "tolerance": 1e-2}
    none, rich = (kernel_transfer.transfer_losses(source, target, gamma, **options) for gamma in (0.0, 3.0))
    for features in ("mean field", "network"):
        before, after = (losses(rows, features=features, P_2=8) for rows in (none, rich))
        assert before.shape == after.shape == (6,)
        assert after.mean() < 0.5 * before.mean()
        assert np.all(after < before)  # the same draws of the target
    for P_2 in (8, 32):
        theory, network = (losses(rich, features=f, P_2=P_2).mean() for f in ("mean field", "network"))
        assert network == pytest.approx(theory, rel=0.15)
    assert all(row["source_loss"] <= 1e-2 and row["P_1"] == 160 for row in rich)


def test_training_sets_are_balanced_and_nested(tasks, monkeypatch):
    source, target = tasks
    seen = []

    def spy(K, K_test, y):
        seen.append((np.diag(K), y))
        return np.zeros(len(K_test))

    monkeypatch.setattr(kernel_transfer, "kernel_regression", spy)
    rows = kernel_transfer.transfer_losses(source, target, 0.0, [2, 4, 16], draws=3, S=100, N=50)
    assert all(row["loss"] == 1.0 for row in rows)  # of predicting zero
    sets = [[seen[3 * i + draw] for i in range(3)] for draw in range(3)]
    for small, middle, large in sets:
        assert all(y.sum() == 0 for _, y in (small, middle, large))
        assert small[0] == pytest.approx(middle[0][:2]) and middle[0] == pytest.approx(large[0][:4])
    assert not np.allclose(sets[0][2][0], sets[1][2][0])


def test_pretraining_that_does_not_converge_is_reported(tasks, monkeypatch):
    monkeypatch.setattr(kernel_transfer, "TIMES", np.array([0.0, 1e-3]))
    with pytest.raises(RuntimeError, match="pretraining with gamma_1 = 1 ended at"):
        kernel_transfer.transfer_losses(*tasks, 1.0, [4], S=20, N=20)


def test_mean_losses_are_ordered_and_of_one_kind_of_features(tasks):
    source, target = tasks
    rows = kernel_transfer.transfer_losses(source, target, 0.0, [16, 4], draws=3, S=100, N=200)
    found = kernel_transfer.mean_losses(rows, "network")
    assert found.shape == (1, 1, 2)
    assert found[0, 0] == pytest.approx([losses(rows, features="network", P_2=P_2).mean() for P_2 in (4, 16)])
    assert checks.image_losses(rows).theory == pytest.approx(kernel_transfer.mean_losses(rows, "mean field"))
    worse = [{**row, "loss": 2 * row["loss"]} if row["features"] == "network" else row for row in rows]
    assert not checks.image_losses(worse).holds


def test_target_draws_are_averaged_within_a_seed_alone():
    pd = pytest.importorskip("pandas")
    points = [(f, P, s, d) for f in ("network", "mean field") for P in (16, 4) for s in (1, 0) for d in range(3)]
    fixed = {"width": 100, "P_1": 20, "gamma_1": 0.0}
    rows = [
        fixed | {"features": f, "P_2": P, "seed": s, "draw": d, "loss": d + 10 * s + P + 100 * (f == "network")}
        for f, P, s, d in points
    ]
    found = kernel_transfer.mean_over_targets(pd.DataFrame(rows))
    assert list(found.index.droplevel(["width", "P_1", "gamma_1"])) == [(4, 0), (4, 1), (16, 0), (16, 1)]
    assert found["mean field"].tolist() == [5, 15, 17, 27] and found["network"].tolist() == [105, 115, 117, 127]
    square = np.mean((100 / found["mean field"]) ** 2)
    assert kernel_transfer.differences(pd.DataFrame(rows)).loc[100, (20, 0.0)] == pytest.approx(np.sqrt(square))


def test_differences_by_width_are_those_of_all_seeds_and_target_sizes():
    pd = pytest.importorskip("pandas")
    rows = []
    for width, off in ((400, 0.1), (100, 0.3)):  # the relative difference, of either sign
        for P_1, s, P_2 in [(P_1, s, P_2) for P_1 in (20, 100) for s in (0, 1) for P_2 in (4, 8)]:
            fixed = {"width": width, "P_1": P_1, "gamma_1": 1.0, "P_2": P_2, "seed": s, "draw": 0}
            network = 0.5 * (1 + (-1) ** s * off * (2 if P_1 == 100 else 1))
            rows += [fixed | {"features": "network", "loss": network}, fixed | {"features": "mean field", "loss": 0.5}]
    found = kernel_transfer.differences(pd.DataFrame(rows))
    assert list(found.index) == [100, 400]  # so that a step from a row to the next is to a wider network
    assert found[20, 1.0].tolist() == pytest.approx([0.3, 0.1]) and found[100, 1.0].tolist() == pytest.approx(
        [0.6, 0.2]
    )


def test_networks_of_all_widths_are_compared_with_the_theory_with_the_most_particles():
    pd = pytest.importorskip("pandas")
    fixed = {"P_1": 20, "gamma_1": 1.0, "seed": 0, "P_2": 4, "draw": 0}
    losses = {"mean field": {100: 0.60, 400: 0.54, 1600: 0.50}, "network": {100: 0.60, 400: 0.55, 1600: 0.49}}
    rows = [fixed | {"features": f, "width": N, "loss": x} for f, one in losses.items() for N, x in one.items()]
    table = pd.DataFrame(rows)
    assert kernel_transfer.differences(table)[20, 1.0].tolist() == pytest.approx([0.2, 0.1, 0.02])
    assert kernel_transfer.differences(table, "mean field")[20, 1.0].tolist() == pytest.approx([0.2, 0.08, 0.0])


def test_classes_of_the_digits():
    rows = solve_point("digits", (0, 1), (0, 9), 20, 0.0, [4, 16], 32, draws=4, N=500)
    assert len(rows) == 16 and {row["dataset"] for row in rows} == {"digits"} and {row["P_1"] for row in rows} == {20}
    assert 0 < losses(rows, P_2=16).mean() < losses(rows, P_2=4).mean() < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma_1": -1.0}, "gamma_1 = -1. is not allowed"),
        ({"P_2": [34]}, "P_2 = 34 is not allowed: it must be at most 32"),
        ({"target": signs(8, 2, 2, 0).__class__(np.ones((3, 8)), [0.0, 1.0, 2.0], np.ones((1, 8)), [0.0])}, "labels"),
    ],
)
def test_bad_images_are_named(tasks, change, message):
    arguments = {"source": tasks[0], "target": tasks[1], "gamma_1": 0.0, "P_2": [4]} | change
    with pytest.raises(ValueError, match=message):
        kernel_transfer.transfer_losses(**arguments)
