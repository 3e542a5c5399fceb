"""exp and ln as a few multiplications, which the compiler turns into vector instructions.

Both are good to 4e-16 of max(1, |ln x|); the library's functions, one call a number, took half of the time of
the compiled path. Imported only where numba is to be used.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, log, sqrt
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import types

from globalfit.physics.compiled_code import forget_stale

_SOURCES: Final = (Path(__file__).parent, Path(__file__).parents[1] / "constants.py")

F = TypeVar("F", bound=Callable[..., object])

LOWEST: Final = -700.0  # exp of less is nothing
_LOG2_E: Final = 1.0 / log(2.0)
_LN2_HIGH: Final = float.fromhex("0x1.62e42fee00000p-1")  # ln 2 in two parts, the first with trailing zeros
_LN2_LOW: Final = float.fromhex("0x1.a39ef35793c76p-33")
_ROUND: Final = 1.5 * 2.0**52  # added and taken away: rounds to an integer
_BIAS: Final = 1023
_MANTISSA: Final = (1 << 52) - 1
_HALF_BITS: Final = 0x3FE6A09E667F3BCD  # sqrt(1/2)
_EXP: Final = tuple(1.0 / factorial(k) for k in range(13))
_LN: Final = tuple(2.0 / (2 * k + 1) for k in range(10))


def jit(function: F) -> F:
    """Compile a function, once and for all: the result is kept on disk (`compiled_code.forget_stale`).

    The function may not allocate arrays: without counts of references, which took a fifth of the time, none
    is freed.
    """
    forget_stale(Path(function.__code__.co_filename).parent, *_SOURCES)
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
    return cast(F, numba.njit(cache=True, nogil=True, **options)(function))


def _reinterpret(source: Any, result: Any, llvm: Any) -> Any:
    """Return an intrinsic that reads the bits of one type as another."""

    def typed(context: Any, value: Any) -> Any:
        def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], llvm)

        return result(source), code

    return numba.extending.intrinsic(typed)


_bits = _reinterpret(types.float64, types.int64, ir.IntType(64))
_number = _reinterpret(types.int64, types.float64, ir.DoubleType())


@jit
def exp(x: float) -> float:
    """Return e^x for x below 700, 0 below `LOWEST`."""
    held = max(x, LOWEST)
    shifted = held * _LOG2_E + _ROUND
    n = shifted - _ROUND
    r = (held - n * _LN2_HIGH) - n * _LN2_LOW
    series = _EXP[12]
    series = series * r + _EXP[11]
    series = series * r + _EXP[10]
    series = series * r + _EXP[9]
    series = series * r + _EXP[8]
    series = series * r + _EXP[7]
    series = series * r + _EXP[6]
    series = series * r + _EXP[5]
    series = series * r + _EXP[4]
    series = series * r + _EXP[3]
    series = series * r + _EXP[2]
    series = series * r + 1.0
    series = series * r + 1.0
    value: float = series * _number((_bits(shifted) + _BIAS) << 52)
    return value if x > LOWEST else 0.0


@jit
def ln(x: float) -> float:
    """Return ln x of a positive normal number."""
    above = (
        _bits(x) - _HALF_BITS
    )  # exponent counted from sqrt(1/2): the mantissa is within sqrt(1/2), sqrt(2)
    n = float(above >> 52)
    m: float = _number((above & _MANTISSA) + _HALF_BITS)
    z = (m - 1.0) / (m + 1.0)
    y = z * z
    series = _LN[9]
    series = series * y + _LN[8]
    series = series * y + _LN[7]
    series = series * y + _LN[6]
    series = series * y + _LN[5]
    series = series * y + _LN[4]
    series = series * y + _LN[3]
    series = series * y + _LN[2]
    series = series * y + _LN[1]
    series = series * y + _LN[0]
    return n * _LN2_HIGH + (series * z + n * _LN2_LOW)


@jit
def angle_log(a: float, b: float) -> float:
    """Return ln[(a + b)/(a - b)]/b for 0 <= b < a."""
    ratio = b / a
    y = ratio * ratio
    small = 1.0 + y * (1.0 / 3.0 + y * (0.2 + y * (1.0 / 7.0 + y / 9.0)))
    far = 0.5 * ln((a + b) / (a - b)) / max(ratio, 1e-3)
    return 2.0 / a * (small if ratio < 0.02 else far)


@jit
def root(z: complex) -> complex:
    """Return the root of a number with Im z > 0 in the first quadrant, both parts to full precision."""
    size = sqrt(z.real * z.real + z.imag * z.imag)
    larger = sqrt(0.5 * (size + abs(z.real)))
    smaller = 0.5 * z.imag / larger
    return complex(larger, smaller) if z.real > 0.0 else complex(smaller, larger)
