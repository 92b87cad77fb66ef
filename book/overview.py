"""Draws book/_static/overview.svg, the picture of the front page and of the README, from the theory."""

from pathlib import Path

import numpy as np

from ptft import experiments, figures
from ptft.figures.overview import overview

TASK = (1.0, 0.01)  # (omega, rho_ft): a few of the pretrained features
OUT = Path(__file__).parent / "_static" / "overview.svg"


def main() -> None:
    figures.style()
    settings = experiments.figure_5()[TASK]
    curves = {name: experiments.predict(s, np.linspace(0.005, 0.3, 100)) for name, s in settings.items()}
    figures.save(overview({name: s.init for name, s in settings.items()}, curves), OUT)


if __name__ == "__main__":
    main()
