"""Examples that begin alike, grouped so that what they share is computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

# Attention in pieces costs what so few tokens save.
_LEAST = 16


@dataclass(slots=True)
class _Node:
    """Neighbours in order that share a beginning.

    :param depth: Tokens that all of them share.
    :param above: The place of the node that this one is part of; -1 for none.
    :param single: Members that are part of no deeper node.
    :param below: Places of the nodes that are part of this one.
    :param saved: What is saved in it, by the tokens that a node above already shares.
    """

    depth: int
    above: int
    single: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)
    saved: dict[int, int] = field(default_factory=dict)


def groups(beginnings: Sequence[Sequence[int]]) -> list[tuple[int, list[int]]]:
    """Return which examples share how many tokens, so that most tokens are saved.

    A group shares one beginning; nothing is shared inside of it a second time.

    :param beginnings: Of each example, the tokens that it may share.
    :returns: Each group's shared tokens and its examples; 0 for an example of its own.
    """
    order = sorted(range(len(beginnings)), key=lambda number: tuple(beginnings[number]))
    alike = [_alike(beginnings[one], beginnings[other]) for one, other in pairwise(order)]
    nodes = _tree(order, [length if length >= _LEAST else 0 for length in alike])
    for node in reversed(nodes):
        depths, above = [], node.above
        while above >= 0:
            depths.append(nodes[above].depth)
            above = nodes[above].above
        once = _apart(nodes, node, node.depth) - node.depth
        node.saved = {depth: max(_apart(nodes, node, depth), once) for depth in depths}
    found: list[tuple[int, list[int]]] = [(0, [])]
    homes = [0] * len(nodes)
    for place, node in enumerate(nodes):
        home = homes[node.above] if node.above >= 0 else 0
        if node.saved and node.saved[found[home][0]] > _apart(nodes, node, found[home][0]):
            home = len(found)
            found.append((node.depth, []))
        homes[place] = home
        found[home][1].extend(node.single)
    return [(0, [number]) for number in found[0][1]] + [group for group in found[1:] if group[1]]


def _apart(nodes: list[_Node], node: _Node, depth: int) -> int:
    """Return what a node's members save if they share so many tokens with those above."""
    return depth * len(node.single) + sum(nodes[place].saved[depth] for place in node.below)


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def _tree(order: list[int], alike: list[int]) -> list[_Node]:
    """Return the nodes of what shares beginnings, each behind the one that it is part of.

    :param order: Examples in the order of their tokens.
    :param alike: Tokens that each shares with the next one.
    """
    nodes = [_Node(0, -1)]
    waiting = [(0, 0, len(order))] if order else []
    while waiting:
        place, first, stop = waiting.pop()
        node = nodes[place]
        cuts = [at + 1 for at in range(first, stop - 1) if alike[at] == node.depth]
        for start, end in pairwise([first, *cuts, stop]):
            if end - start == 1:
                node.single.append(order[start])
                continue
            node.below.append(len(nodes))
            waiting.append((len(nodes), start, end))
            nodes.append(_Node(min(alike[start : end - 1]), place))
    return nodes
