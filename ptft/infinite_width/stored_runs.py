"""Training runs as files that hold their curves and neurons, for runs that begin with them."""

from __future__ import annotations

import io

import numpy as np

from ptft.infinite_width.dmft import Run
from ptft.infinite_width.particles import Particles, Task

_CURVES = ("time", "train_loss", "test_loss", "source_loss", "steps")


def run_bytes(run: Run, seconds: float) -> bytes:
    """The file of a run of particles that hold weights, from which nothing is subtracted; `seconds` is what it took.

    Examples
    --------
    >>> from ptft.infinite_width import train, weight_particles
    >>> X, y = np.eye(3), np.array([1.0, 0.0, -1.0])
    >>> run = train(weight_particles(3, 10), Task(X, y, X, y), 1.0, [0.0, 1.0])
    >>> sorted(np.load(io.BytesIO(run_bytes(run, seconds=0.1))))[:3]
    ['converged', 'seconds', 'source_loss']
    """
    content = io.BytesIO()
    arrays = {name: getattr(run, name) for name in _CURVES} | {"state": run.end.state, "z": run.end.z}
    np.savez(content, allow_pickle=False, converged=run.converged, seconds=seconds, **arrays)
    return content.getvalue()


def read_arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file of `run_bytes`, those of the run's curves and neurons, converged and seconds.

    Raises
    ------
    ValueError
        If it is no such file.

    Examples
    --------
    >>> read_arrays(b"something else")
    Traceback (most recent call last):
        ...
    ValueError: this does not hold a training run
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as saved:
            return {name: saved[name] for name in (*_CURVES, "state", "z", "converged", "seconds")}
    except Exception as error:  # zipfile and numpy raise whatever a damaged file leads them to
        raise ValueError("this does not hold a training run") from error


def read_run(content: bytes, task: Task, gamma: float) -> Run:
    """The run on `task` with `gamma` whose file this is; errors as of `read_arrays`.

    Examples
    --------
    >>> from ptft.infinite_width import train, weight_particles
    >>> X, y = np.eye(3), np.array([1.0, 0.0, -1.0])
    >>> run = train(weight_particles(3, 10), Task(X, y, X, y), 1.0, [0.0, 1.0])
    >>> again = read_run(run_bytes(run, seconds=0.1), run.task, run.gamma)
    >>> bool(np.allclose(again.predict(X), run.predict(X), rtol=1e-5))
    True
    """
    saved = read_arrays(content)
    time, train_loss, test_loss, source_loss, steps = (saved[name] for name in _CURVES)
    end, converged = Particles(saved["state"], saved["z"]), bool(saved["converged"])
    return Run(time, train_loss, test_loss, source_loss, steps, gamma, task, end, None, converged)
