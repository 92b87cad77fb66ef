"""The published settings, and theory beside simulation."""

import numpy as np
import pytest

from ptft import experiments
from ptft.experiments import Setting


def test_the_settings_are_the_published_ones():
    counts = {number: len(experiments.experiment(number)) for number in (1, 2, 3, 4)}
    assert counts == {1: 21, 2: 14, 3: 28, 4: 12}
    for number in (1, 2, 3):
        for s in experiments.experiment(number):
            moved = (s.c_pt != 1e-3) + (s.lambda_pt != 0) + (s.gamma_ft != 0)
            assert moved <= 1 and s.rho_pt == 0.1 and s.pretrained
    assert experiments.ALPHA == pytest.approx([0.01 + 0.049 * i for i in range(11)])


def test_figure_3_shows_the_experiments():
    panels = experiments.figure_3()
    known = {s for number in (1, 2, 3) for s in experiments.experiment(number)}
    assert list(panels) == list("abcdef")
    for panel in panels.values():
        assert set(panel.settings) <= known and len(panel.settings) in (6, 9)
        fixed = {tuple(v for k, v in vars(s).items() if k not in (panel.color, panel.style)) for s in panel.settings}
        assert len(fixed) == 1  # only the two named parameters vary


def test_figure_5_compares_four_regimes_on_three_tasks():
    tasks = experiments.figure_5()
    assert list(tasks) == [(0.0, 0.1), (1.0, 0.1), (1.0, 0.01)]
    assert all(list(regimes) == ["I", "II", "III", "IV"] for regimes in tasks.values())


def test_every_setting_is_feasible():
    for number in (1, 2, 3, 4):
        for setting in experiments.experiment(number):
            assert setting.teacher.mixture(setting.init).power == pytest.approx(1)


def test_a_comparison_holds_theory_and_simulation():
    settings = [Setting(omega=1.0), Setting(omega=0.0)]
    found = experiments.compare(settings, [0.2, 0.4], d=200, seeds=range(4))
    result = found[settings[0]]
    assert list(found) == settings and found[settings[1]].mse.shape == (2, 4)
    assert result.mse.shape == result.certified.shape == (2, 4) and result.certified.all()
    assert result.theory == pytest.approx(experiments.predict(Setting(omega=1.0), result.alpha).mse)
    assert result.half_width == pytest.approx(3.182 * result.standard_error, rel=1e-3)  # Student's t, 3 degrees
    assert result.covered.shape == (2,)
    assert np.all(np.abs(result.mean - result.theory) < 8 * result.standard_error + 0.1 * result.theory)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="number = 5 is not allowed"):
        experiments.experiment(5)
    with pytest.raises(ValueError, match="the number of seeds = 1 is not allowed: it must be at least 2"):
        experiments.compare([Setting()], [0.2], d=50, seeds=[0])
