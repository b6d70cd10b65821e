"""Examples are grouped by the beginnings whose sharing saves most."""

from adapters.training.shared import groups


def saved(found):
    return sum(length * (len(members) - 1) for length, members in found)


def test_long_beginnings_go_before_the_one_that_all_share() -> None:
    system = list(range(100, 120))
    sources = [[*system, *([number] * 50)] for number in (1, 2)]
    examples = [[*sources[number % 2], 90 + number] for number in range(6)]
    examples += [[*system, 5], [*system, 6]]

    found = {length: sorted(members) for length, members in groups(examples) if length == 20}
    assert found == {20: [6, 7]}
    assert sorted(sorted(m) for length, m in groups(examples) if length == 70) == [
        [0, 2, 4],
        [1, 3, 5],
    ]


def test_one_short_beginning_of_many_goes_before_slightly_longer_ones_of_few() -> None:
    system = [7] * 60
    examples = [[*system, number // 2, number] for number in range(20)]

    assert groups(examples) == [(60, list(range(20)))]


def test_what_is_alike_in_too_little_or_nothing_stays_alone() -> None:
    examples = [[1] * 15 + [number] for number in range(3)] + [[], [9]]

    found = groups(examples)
    assert sorted(found) == [(0, [number]) for number in range(5)]
    assert groups([]) == []


def test_the_same_beginning_and_one_inside_another_are_shared() -> None:
    examples = [[3] * 40, [3] * 40, [3] * 64]

    assert groups(examples) == [(40, [0, 1, 2])]
    assert saved(groups(examples)) == 80


def test_deep_nesting_ends() -> None:
    found = groups([[1] * length for length in range(20, 400)])

    assert sorted(number for _, members in found for number in members) == list(range(380))
    assert saved(found) > 380 * 100
