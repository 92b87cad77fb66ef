"""The stored runs on modular arithmetic: the whole grid of the protocol, with all that is measured."""

import pytest

pytest.importorskip("torch")

from ptft.book.results import results_file
from ptft.modular.protocol import MEASURED, NETWORKS, PROTOCOLS, SAMPLE_SIZES
from ptft.sweeps.modular import SWEEP, ModularPoint, plan


@pytest.fixture(scope="module")
def stored():
    return SWEEP.read_table(results_file("modular.parquet"))[0]


def test_the_table_holds_each_point_of_the_plan_of_ten_seeds_once_and_no_other(stored):
    fields = list(ModularPoint._fields)
    found = list(stored[fields].itertuples(index=False, name=None))
    planned = SWEEP.identity(plan(NETWORKS, range(10)))[fields].itertuples(index=False, name=None)
    assert len(found) == len(set(found)) and set(found) == set(planned)


def test_each_knob_has_five_values_and_the_tasks_all_relations():
    assert len(SAMPLE_SIZES) >= 6
    for protocol in PROTOCOLS.values():
        assert all(len({1.0, *dict(protocol.knobs)[knob]}) >= 5 for knob in ("kappa", "c", "gamma"))
    for network in ("quadratic", "transformer"):
        relations = {relation for relation, _ in PROTOCOLS[network].cells}
        assert relations >= {"nested", "reuse", "new", "half", "dense", "random"}


def test_what_is_measured_is_there(stored):
    assert set(MEASURED) <= set(stored)
    of_all = [name for name in MEASURED if name not in ("drift", "tangent_error", "diagonal_error")]
    assert stored[of_all].notna().all().all()
    assert stored.loc[stored["network"] == "quadratic", list(MEASURED)].notna().all().all()
    assert (stored["correct"] <= stored["tested"]).all() and set(stored["stopped_by"]) <= {"loss", "cap", "stuck"}
    for when in ("before", "after"):
        for task in ("pt", "ft"):
            assert stored[f"power_{task}_{when}"].le(stored[f"power_{when}"] * (1 + 1e-9)).all()
