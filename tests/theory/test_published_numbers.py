"""Numbers computed independently for the same formulas, and the paper's settings, as given with five digits."""

import numpy as np
import pytest

import ptft

ALPHA = np.linspace(0.01, 0.5, 11)

# (rho_ft, omega, c_pt, lambda_pt/c_pt, gamma_ft): mse at ALPHA, for rho_pt = 0.1 and Gaussian slabs of unit power
REFERENCE = {
    (0.1, 0.5, 1e-3, 0.0, 0.0): """
        1.0055 1.0474 0.80219 0.55622 0.34887 0.18938 0.084675 0.030638 0.0096686 0.0030723 0.0010835""",
    (0.1, 0.0, 1e-6, 0.0, 0.0): """
        1.1156 2.3947 2.0712 1.5077 1.0872 0.74051 0.45191 0.22703 0.079437 0.013973 0.001005""",
    (0.1, 0.5, 1e-3, 0.0, 10.0): """
        0.98984 0.94012 0.89047 0.84089 0.79138 0.74195 0.69259 0.64329 0.59407 0.54492 0.49585""",
    (0.01, 1.0, 1e-6, -0.99, 0.0): """
        0.82619 0.0014129 2.9242e-06 5.797e-11 6.36e-13 7.69e-14 2.06e-14 8.06e-15 3.87e-15 2.11e-15 1.25e-15""",
}


def agrees_to_its_digits(value, printed):
    digits = len(printed.split("e")[0].replace(".", "").lstrip("0"))
    return float(f"{value:.{digits - 1}e}") == pytest.approx(float(printed), rel=1.01 * 10.0 ** -(digits - 1))


@pytest.mark.parametrize("setting", REFERENCE)
def test_replica_errors(setting):
    rho_ft, omega, c, share, gamma = setting
    curve = ptft.replica_curve(ALPHA, ptft.SpikeSlab(0.1, rho_ft, omega), ptft.Initialization(c, share * c, gamma))
    for mse, printed in zip(curve.mse, REFERENCE[setting].split(), strict=True):
        assert agrees_to_its_digits(mse, printed), (mse, printed)


def test_the_groups_of_the_data_model():
    p = ptft.SpikeSlab(rho_pt=0.1, rho_ft=0.04, omega=0.5).group_probabilities
    assert p == pytest.approx([0.02, 0.02, 0.08, 0.88])  # shared, new, pretraining only, none
    mixture = ptft.SpikeSlab(rho_pt=0.1, rho_ft=0.04, omega=0.5).mixture(ptft.Initialization(1e-3))
    assert mixture.variance == pytest.approx([25, 25, 0, 0])  # v = 1/rho_ft
    assert mixture.k[[0, 1]] == pytest.approx(mixture.k[[2, 3]])
    # P(active in fine-tuning | active in pretraining) = omega rho_ft/rho_pt, and its counterpart
    assert p[0] / (p[0] + p[2]) == pytest.approx(0.5 * 0.04 / 0.1)
    assert p[1] / (p[1] + p[3]) == pytest.approx(0.5 * 0.04 / 0.9)


def test_the_regimes_as_penalties():
    """I: l1 up to a factor; II: beta^2/|beta_pt|; III: beta^2 (the limits of Section 5.1)."""
    beta, beta_pt = np.array([0.5, 1.0, 2.0]), np.array([0.5, 1.0, 4.0])

    def shape(k):
        q = ptft.penalty(beta, k)
        return q / q[1]

    rich = ptft.Initialization(1e-3, -(1 - 1e-12) * 1e-3, 1e-100)
    assert shape(rich.k(beta_pt)) == pytest.approx(np.abs(beta), rel=0.08)
    far_richer = 1e-290
    assert shape(far_richer) == pytest.approx(np.abs(beta), rel=0.003)
    lazy_reuse = ptft.penalty(1e-8 * beta, ptft.Initialization(1e-9).k(beta_pt))
    assert lazy_reuse / lazy_reuse[1] == pytest.approx(beta**2 / beta_pt, rel=1e-6)
    assert shape(ptft.Initialization(1e8).k(beta_pt)) == pytest.approx(beta**2, rel=1e-6)
    assert shape(ptft.Initialization(1e-3, 0.0, 1e4).k(beta_pt)) == pytest.approx(beta**2, rel=1e-6)
