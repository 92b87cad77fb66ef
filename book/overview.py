"""Draws book/_static/overview.svg, the picture of the front page and of the README.

Its PDF, its data and its narrow form, which a telephone shows, are written beside it.
"""

from pathlib import Path

import matplotlib
import numpy as np

from ptft import experiments, figures
from ptft.figures import narrow
from ptft.figures.front_page import overview
from ptft.files import write_whole

TASK = (1.0, 0.01)  # (omega, rho_ft): a few of the pretrained features
OUT = Path(__file__).parent / "_static"


def main() -> None:
    matplotlib.use("agg")
    figures.style()
    settings = experiments.figure_5()[TASK]
    curves = {name: experiments.predict(s, np.linspace(0.005, 0.3, 100)) for name, s in settings.items()}
    fig = overview({name: s.init for name, s in settings.items()}, curves)
    for ending in ("svg", "pdf"):
        figures.save(fig, OUT / f"overview.{ending}")
    write_whole(OUT / "overview.csv", figures.csv_of(fig).encode())
    narrow.stack(fig)
    figures.save(fig, OUT / "overview-narrow.svg")


if __name__ == "__main__":
    main()
