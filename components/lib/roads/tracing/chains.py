"""Skeleton to multigraph: junctions and ends are nodes, chains of pixels are edges.

The behaviour of ``sknw``, which the SpaceNet 3 winner uses, written anew: neighbouring junction pixels are
one node at their mean place, rings without a junction get a node, parallel edges and self-loops stay.
Neighbours are taken by mixed adjacency (Rosenfeld and Kak, Digital Picture Processing, 1982): two pixels
that touch by their corners are neighbours only where no third one joins them by its sides, so that steps of a
staircase are no junctions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csgraph

from components.lib.roads.graph.model import Floats, Indices
from components.lib.roads.tracing.edges import Edges
from components.lib.roads.tracing.mask import Mask

_RIGHT, _BELOW, _BELOW_RIGHT, _BELOW_LEFT = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class _Pixels:
    """Pixels of a skeleton in row-major order.

    Attributes:
        rows: (N,).
        columns: (N,).
        ahead: (4, N) index of the neighbour to the right, below, below right and below left; -1 for none.
    """

    rows: Indices
    columns: Indices
    ahead: Indices

    @classmethod
    def of(cls, skeleton: Mask) -> _Pixels:
        rows, columns = np.nonzero(skeleton)
        wide = skeleton.shape[1] + 2  # a column of nothing keeps rows apart
        flat = rows * wide + columns
        ahead = np.full((4, len(flat)), -1, dtype=np.intp)
        for number, step in enumerate((1, wide, wide + 1, wide - 1)):
            at = np.searchsorted(flat, flat + step)
            found = np.flatnonzero(at < len(flat))
            found = found[flat[at[found]] == flat[found] + step]
            ahead[number, found] = at[found]
        return cls(rows, columns, ahead)

    def links(self, *directions: int) -> Indices:
        """Return pairs of neighbours (K, 2) in these directions."""
        pairs = [_pairs(self.ahead[direction]) for direction in directions]
        return np.concatenate(pairs)

    def mixed_links(self) -> Indices:
        """Return pairs of neighbours (K, 2) by mixed adjacency."""
        left = np.full(len(self.rows), -1, dtype=np.intp)
        beside = _pairs(self.ahead[_RIGHT])
        left[beside[:, 1]] = beside[:, 0]
        corner_right = (self.ahead[_RIGHT] < 0) & (self.ahead[_BELOW] < 0)
        corner_left = (left < 0) & (self.ahead[_BELOW] < 0)
        right = _pairs(np.where(corner_right, self.ahead[_BELOW_RIGHT], -1))
        return np.concatenate(
            (
                self.links(_RIGHT, _BELOW),
                right,
                _pairs(np.where(corner_left, self.ahead[_BELOW_LEFT], -1)),
            )
        )


def edges_of(skeleton: Mask, half_width_m: Floats, pixel_m: tuple[float, float]) -> Edges:
    """Return the edges of a skeleton in the plane of metres.

    Args:
        skeleton: (H, W).
        half_width_m: (N,) half of the road's width at each skeleton pixel in row-major order, metres.
        pixel_m: Size of a pixel along columns and along rows, metres.
    """
    pixels = _Pixels.of(skeleton)
    if not len(pixels.rows):
        return Edges.none()
    links = pixels.mixed_links()
    node = _nodes(pixels, links)
    places = (np.column_stack((pixels.columns, pixels.rows)) + 0.5) * np.array(pixel_m)
    number = int(node.max(initial=-1)) + 1
    marked = node >= 0
    counts = np.bincount(node[marked], minlength=number)
    x, y, node_width = (
        np.bincount(node[marked], values[marked], minlength=number) / counts
        for values in (*places.T, 2.0 * half_width_m)
    )
    nodes = np.column_stack((x, y))
    chains = _chains(node, links)
    direct = _direct(node, links)
    ends = np.concatenate((chains.ends, direct))
    # Each edge is its first node, its pixels and its last node; direct edges have no pixel.
    sizes = np.concatenate((chains.sizes, np.zeros(len(direct), dtype=np.intp)))
    first = np.r_[0, np.cumsum(sizes + 2)].astype(np.intp)
    coordinates = np.empty((first[-1], 2))
    coordinates[first[:-1]], coordinates[first[1:] - 1] = nodes[ends[:, 0]], nodes[ends[:, 1]]
    inner = np.ones(len(coordinates), dtype=bool)
    inner[first[:-1]] = inner[first[1:] - 1] = False
    coordinates[inner] = places[chains.pixels]
    owner = np.repeat(np.arange(len(chains.sizes)), chains.sizes)
    of_chains = np.bincount(owner, 2.0 * half_width_m[chains.pixels], minlength=len(chains.sizes))
    # A direct edge is as wide as its nodes.
    width_sum: Floats = np.concatenate((of_chains, node_width[direct].sum(axis=1))).astype(np.float64)
    pixels_of = np.concatenate((chains.sizes, np.full(len(direct), 2))).astype(np.float64)
    return Edges.ordered(nodes, ends, (coordinates, first), (width_sum, pixels_of))


def _pairs(ahead: Indices) -> Indices:
    at = np.flatnonzero(ahead >= 0)
    return np.column_stack((at, ahead[at]))


def _nodes(pixels: _Pixels, links: Indices) -> Indices:
    """Return the node of each pixel, (N,), -1 for pixels of chains and for single ones."""
    count = len(pixels.rows)
    degree = np.bincount(links.ravel(), minlength=count)
    junction = degree >= 3
    touching = pixels.links(_RIGHT, _BELOW, _BELOW_RIGHT, _BELOW_LEFT)
    _, cluster = _components(count, touching[junction[touching].all(axis=1)])
    _, part = _components(count, links)
    plain = np.ones(part.max() + 1, dtype=bool)
    plain[part[degree != 2]] = False
    _, head = np.unique(part, return_index=True)  # the first pixel of a ring becomes its node
    marked = junction | (degree == 1)
    marked[head[plain]] = True
    node = np.full(count, -1, dtype=np.intp)
    # Clusters are numbered by their first pixel; pixels that are no junction are clusters of their own.
    _, node[marked] = np.unique(cluster[marked], return_inverse=True)
    return node


@dataclass(frozen=True, slots=True, eq=False)
class _Chains:
    """Chains of pixels between nodes.

    Attributes:
        pixels: (P,) pixels, chain by chain in order.
        sizes: (K,) pixels of each chain.
        ends: (K, 2) node before the first and behind the last pixel.
    """

    pixels: Indices
    sizes: Indices
    ends: Indices


def _chains(node: Indices, links: Indices) -> _Chains:
    inside = node[links] < 0
    degree = np.bincount(links.ravel(), minlength=len(node))
    members = np.flatnonzero((node < 0) & (degree == 2))
    place = np.full(len(node), -1, dtype=np.intp)
    place[members] = np.arange(len(members))
    between = place[links[inside.all(axis=1)]]
    count, label = _components(len(members), between)
    outer = links[inside.sum(axis=1) == 1]
    flip = node[outer[:, 0]] >= 0
    outer[flip] = outer[flip, ::-1]  # the pixel of the chain before that of the node
    at, to = place[outer[:, 0]], node[outer[:, 1]]
    order = np.lexsort((to, at, label[at]))
    at, to = at[order].reshape(count, 2), to[order].reshape(count, 2)  # a chain has two ends
    ranked = _walked(len(members), between, at[:, 0])
    along = ranked[np.argsort(label[ranked], kind="stable")]
    sizes = np.bincount(label, minlength=count).astype(np.intp)
    return _Chains(members[along], sizes, to)


def _direct(node: Indices, links: Indices) -> Indices:
    """Return pairs of nodes (K, 2) whose pixels are neighbours."""
    ends = node[links]
    apart: Indices = ends[(ends >= 0).all(axis=1) & (ends[:, 0] != ends[:, 1])]
    return apart


def _walked(count: int, links: Indices, starts: Indices) -> npt.NDArray[np.intp]:
    """Return all pixels in the order of a breadth-first search from the starts at once: along each chain."""
    if not count:
        return np.empty(0, dtype=np.intp)
    source = np.full(len(starts), count, dtype=np.intp)
    rows, columns = np.r_[links[:, 0], links[:, 1], source], np.r_[links[:, 1], links[:, 0], starts]
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(count + 1,) * 2).tocsr()
    order = csgraph.breadth_first_order(graph, count, directed=True, return_predecessors=False)
    return np.asarray(order[1:], dtype=np.intp)


def _components(count: int, links: Indices) -> tuple[int, Indices]:
    ones = np.ones(len(links), dtype=np.int8)
    graph = coo_array((ones, (links[:, 0], links[:, 1])), shape=(count, count)).tocsr()
    found, label = csgraph.connected_components(graph, directed=False)
    return int(found), label.astype(np.intp)
