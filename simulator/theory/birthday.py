"""Ports that meet: how often independent, even draws out of ``n`` ports collide.

Source: Feller, An Introduction to Probability Theory and Its Applications, vol. 1 (1968),
section II.3.
"""

from __future__ import annotations

from math import expm1, lgamma, log, log1p, sqrt


def expected_pairs(picks: int, ports: int) -> float:
    """Pairs of picks that are the same port, on average: ``k (k - 1) / (2 n)``.

    Exact for even draws with replacement. Three picks of one port count as three pairs.

    Raises:
        ValueError: picks < 0 or ports < 1.
    """
    _check(picks, ports)
    return picks * (picks - 1) / (2 * ports)


def expected_repeats(picks: int, ports: int) -> float:
    """Picks of a port that was picked before, on average: ``k - n (1 - (1 - 1/n)^k)``.

    Raises:
        ValueError: picks < 0 or ports < 1.
    """
    _check(picks, ports)
    if ports == 1:
        return float(max(0, picks - 1))
    return picks + ports * expm1(picks * log1p(-1 / ports))


def any_collision(picks: int, ports: int) -> float:
    """Probability that at least two of so many picks are one port, ``1 - n! / ((n - k)! n^k)``.

    Exact up to the rounding of lgamma: about 1e-9 for n below 1e6.

    Raises:
        ValueError: picks < 0 or ports < 1.
    """
    _check(picks, ports)
    if picks > ports:
        return 1.0
    if picks < 2:
        return 0.0
    if picks <= 10_000:
        return -expm1(sum(log1p(-number / ports) for number in range(1, picks)))
    return -expm1(lgamma(ports + 1) - lgamma(ports - picks + 1) - picks * log(ports))


def meets_held(picks: int, ports: int, held: int) -> float:
    """Probability that at least one of so many picks is among ``q`` ports in use.

    The picks know nothing of each other: ``1 - (1 - q / n)^k``.

    Raises:
        ValueError: picks < 0, ports < 1, or held outside 0..ports.
    """
    _check(picks, ports)
    if not 0 <= held <= ports:
        raise ValueError("from none to all of the ports can be held")
    if held == ports:
        return 1.0 if picks else 0.0
    return -expm1(picks * log1p(-held / ports))


def picks_for_half(ports: int) -> float:
    """Picks at which a collision becomes likely: about ``1/2 + sqrt(1/4 + 2 n ln 2)``.

    Good to one pick for n from 10 up.

    Raises:
        ValueError: ports < 1.
    """
    _check(0, ports)
    return 0.5 + sqrt(0.25 + 2 * ports * log(2))


def _check(picks: int, ports: int) -> None:
    if picks < 0 or ports < 1:
        raise ValueError("picks cannot be negative, and there is at least one port")
