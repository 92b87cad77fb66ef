"""Sweeps over many points, in parallel and resumable, and the tables that store their results."""
