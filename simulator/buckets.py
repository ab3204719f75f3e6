"""Log-linear buckets of times: which one a time falls into, and what times a bucket holds.

Values below 2048 have a bucket each; above, each doubling is divided into 1024 equal buckets, so
a bucket is never wider than 1/1024 of its values (three significant digits).

Source: the bucket scheme of HdrHistogram (Gil Tene), with 3 significant digits.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Times = np.ndarray[Any, np.dtype[np.int64]]

#: The longest time that has a bucket of its own, one hour; longer ones are counted with it.
MAX_NS: Final = 3600 * 1_000_000_000
#: log2 of the buckets in one doubling.
_BITS: Final = 10
_HALF: Final = 1 << _BITS
#: Bits of a float's mantissa, and what is added to its exponent.
_MANTISSA: Final = 52
_BIAS: Final = 1023


def bucket_of(values_ns: Times) -> Times:
    """Bucket index of each value, shape as given; 0 <= value < 2**53."""
    # The exponent of a float, which is exact below 2**53, is the bit length of the value.
    shift: Times = values_ns.astype(np.float64).view(np.int64)
    shift >>= _MANTISSA
    shift -= _BIAS + _BITS
    np.maximum(shift, 0, out=shift)
    found: Times = values_ns >> shift
    shift <<= _BITS
    found += shift
    return found


def bucket_bounds(index: int) -> tuple[int, int]:
    """Lowest and highest value, in ns, that share a bucket."""
    shift = max(index // _HALF - 1, 0)
    first = (index - shift * _HALF) << shift
    return first, first + (1 << shift) - 1


#: How many buckets there are up to `MAX_NS`.
BUCKETS: Final = int(bucket_of(np.array([MAX_NS], dtype=np.int64))[0]) + 1
