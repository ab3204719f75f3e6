"""Texts with units against exact fractions, and that what is shown can be read again."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator import units

HOUR_NS = 3600 * units.NS_PER_S
TIME_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": HOUR_NS}
SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@given(
    number=st.decimals(min_value=0, max_value=10**6, places=3, allow_nan=False),
    unit=st.sampled_from(sorted(TIME_NS)),
    gap=st.sampled_from(["", " "]),
)
def test_a_time_is_the_exact_number_of_nanoseconds(number: object, unit: str, gap: str) -> None:
    exact = Fraction(str(number)) * TIME_NS[unit]
    found = units.parse_time_ns(f"{number}{gap}{unit}")
    if exact <= HOUR_NS and exact.denominator == 1:
        assert found == exact
    assert abs(found - exact) <= max(Fraction(1, 2), exact / 2**51)


@given(
    number=st.decimals(min_value=0, max_value=10**4, places=2, allow_nan=False),
    unit=st.sampled_from(sorted(SIZES)),
)
def test_a_size_is_the_exact_number_of_bytes(number: object, unit: str) -> None:
    exact = Fraction(str(number)) * SIZES[unit]
    assert abs(units.parse_size_bytes(f"{number}{unit}") - exact) <= max(
        Fraction(1, 2), exact / 2**51
    )


@pytest.mark.parametrize(
    ("text", "per_s"),
    [("2000/s", 2000.0), ("30/min", 0.5), ("3600/h", 1.0), ("1_000 / sec", 1000.0), ("0.5/s", 0.5)],
)
def test_a_rate_is_per_second(text: str, per_s: float) -> None:
    assert units.parse_rate_per_s(text) == per_s


@pytest.mark.parametrize("text", ["1_000ms", "1s", "1000 ms", " 1000000us ", "1.000s"])
def test_the_same_second_in_many_forms(text: str) -> None:
    assert units.parse_time_ns(text) == units.NS_PER_S


WRONG = ["", "5", "s", "-1s", "1e3s", "1 000ms", "1.s", ".5s", "1s 2ms", "inf s", "nan", "0x1s"]


@pytest.mark.parametrize("text", [*WRONG, "1parsec", "1S", "1/s"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="500ms"):
        units.parse_time_ns(text)


@pytest.mark.parametrize("text", [*WRONG, "5s", "5/week", "/s"])
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="2000/s"):
        units.parse_rate_per_s(text)


@pytest.mark.parametrize("text", [*WRONG, "5b", "5KB/s", "5TB"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="64KiB"):
        units.parse_size_bytes(text)


@pytest.mark.parametrize(
    "parse", [units.parse_time_ns, units.parse_rate_per_s, units.parse_size_bytes]
)
@given(text=st.text(alphabet="0123456789_. /smhBKikns", max_size=600))
def test_any_text_is_a_number_or_a_value_error(parse: object, text: str) -> None:
    assert callable(parse)
    try:
        found = parse(text)
    except ValueError:
        return
    assert 0 <= found < float("inf")


@pytest.mark.parametrize(
    "parse", [units.parse_time_ns, units.parse_rate_per_s, units.parse_size_bytes]
)
@pytest.mark.parametrize("unit", ["s", "/s", "B"])
def test_a_number_without_end_is_a_value_error_not_a_crash(parse: object, unit: str) -> None:
    assert callable(parse)
    with pytest.raises(ValueError, match="write a number"):
        parse("1" + "_000" * 200 + unit)


@given(value=st.floats(min_value=1, max_value=999e9))
@example(999_999_600.0)
@example(999.7)
def test_a_time_on_screen_reads_again_within_its_three_digits(value: float) -> None:
    assert units.parse_time_ns(units.format_ns(value)) == pytest.approx(value, rel=0.0051, abs=0.51)


@given(value=st.floats(min_value=0.1, max_value=1e9))
def test_a_rate_on_screen_reads_again_within_its_three_digits(value: float) -> None:
    shown = units.format_rate(value).replace(",", "")
    assert units.parse_rate_per_s(shown) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (units.format_ns(412_000), "412us"),
        (units.format_ns(1_250_000), "1.25ms"),
        (units.format_ns(60 * units.NS_PER_S), "60s"),
        (units.format_ns(999_999_600), "1s"),
        (units.format_ns(0), "0ns"),
        (units.format_rate(32_768), "32,768/s"),
        (units.format_rate(1.5), "1.5/s"),
        (units.format_bytes(5_734), "5.6KiB"),
        (units.format_bytes(100), "100B"),
        (units.format_bytes(1 << 30), "1GiB"),
        (units.format_count(16_384), "16,384"),
    ],
)
def test_numbers_on_screen(shown: str, wanted: str) -> None:
    assert shown == wanted
