"""What is made of the tables of long-lived particles once: charges and vertex put in, parts added up."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam.channels import HIGHEST_X, LOWEST_X, PROCESSES, Channel
from globalfit.physics.beam.interpolation import Stencil, blend, neighbours, stencil
from globalfit.physics.beam.nuclei import charge_weights, named_charges, scatterers
from globalfit.physics.beam.primakoff import VERTICES
from globalfit.physics.beam.tables import load_tables

if TYPE_CHECKING:
    from globalfit.physics.beam.prediction import LongLived

#: Every detector with tables is CH2: the parts and their order.
PARTS = scatterers({"C": 1.0, "H": 1.0})


def place(channel: Channel, m_x: Array) -> Stencil:
    """Return the stencil of the mass of X (n,) in a channel's tables."""
    return stencil(axis(channel), coordinate(channel, m_x))


def coordinate(channel: Channel, m_x: Array) -> Array:
    """Return the place (n,) of the mass of X on a channel's axis, within the tables."""
    return channel.coordinate(np.clip(m_x, LOWEST_X, min(HIGHEST_X, float(channel.masses[-1]))))


@cache
def axis(channel: Channel) -> Array:
    """Return the nodes of a channel's axis."""
    return channel.coordinate(channel.masses)


@cache
def events_table(setup: LongLived, channels: tuple[Channel, ...], quantity: str) -> Array:
    """Ln events (m_x times mediators, bins): charges and vertex put in, parts and `channels` added up."""
    tables = load_tables(setup.path)
    charges = charge_weights(PARTS, *named_charges(setup.nuclear_charge))
    factor = (VERTICES[setup.vertex] * charges)[:, None]
    events = [np.exp(tables.logs(*setup.key, quantity, each)) * factor for each in channels]
    total = np.log(np.sum(events, axis=(0, 3)))
    return np.ascontiguousarray(total.reshape(-1, total.shape[-1]))


@cache
def delay_table(setup: LongLived, channels: tuple[Channel, ...], quantity: str) -> Array:
    """Ln mean and ln relative variance of r/p (m_x times 4, 2 bins), both charges of a meson together."""
    tables = load_tables(setup.path)
    charges = charge_weights(PARTS, *named_charges("Z"))[:, None]
    places = list(PROCESSES[setup.process].delays)
    zero, first, second = 0.0, 0.0, 0.0
    for each in channels:
        logs = tables.logs(*setup.key, quantity, each)[:, places]
        mean, spread = np.moveaxis(tables.delay(*setup.key, quantity, each), -1, 0)
        events = (np.exp(logs) * charges).sum(axis=2)
        zero = zero + events
        first = first + events * np.exp(mean)
        second = second + events * np.exp(2.0 * mean) * (1.0 + spread)
    ratio = np.asarray(first / zero)
    spread = np.maximum(second / zero / ratio**2 - 1.0, 1e-3)
    both = np.concatenate((np.log(ratio), np.log(spread)), axis=-1)
    return np.ascontiguousarray(both.reshape(-1, both.shape[-1]))


@lru_cache(maxsize=256)
def events_at_mass(setup: LongLived, channels: tuple[Channel, ...], quantity: str, m_x: float) -> Array:
    """Ln events (mediators, bins) at one mass of X."""
    return _first_axis(events_table(setup, channels, quantity), channels[0], m_x)


@lru_cache(maxsize=256)
def delays_at_mass(setup: LongLived, channels: tuple[Channel, ...], quantity: str, m_x: float) -> Array:
    """`delay_table` (4, 2 bins) at one mass of X."""
    return _first_axis(delay_table(setup, channels, quantity), channels[0], m_x)


def _first_axis(table: Array, channel: Channel, m_x: float) -> Array:
    """Blend a table (m_x times others, bins) in its first axis: (others, bins)."""
    flat = table.reshape(len(channel.masses), -1)
    return blend(flat, *neighbours(place(channel, np.array([m_x])))).reshape(-1, table.shape[1])
