"""Cut-based selections written as expressions over jet quantities, such as ``softdrop_mass > 105 and tau32 < 0.65``.

Only what stands in ``SYNTAX`` is understood: the text is parsed, checked node by node and worked out with NumPy, never
run as Python.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError, UsageError

Values = NDArray[np.float64] | NDArray[np.bool_]

# Columns that say which object it is, what the truth is, or how it was stored: nothing to cut on.
NOT_FOR_CUTS = frozenset({"run", "lumi", "event", "jet", "label", "weight", "split", "nodes_cut"})

SYNTAX = "numbers, object quantities, + - * / abs(), < <= > >= == !=, and, or, not, parentheses"

# Far beyond any selection, far below what would exhaust the parser.
LONGEST = 2000

_ARITHMETIC: dict[type[ast.operator], Callable[[Values, Values], Values]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Values, Values], Values]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Values], Values]] = {ast.UAdd: np.positive, ast.USub: np.negative}


@dataclass(frozen=True)
class Cuts:
    """A checked selection: its text and the jet ``columns`` it reads."""

    expression: str
    columns: tuple[str, ...]
    _tree: ast.expr

    def passes(self, jets: Mapping[str, NDArray]) -> NDArray[np.bool_]:
        """Which jets [J] the selection keeps; ``jets``: each of ``columns`` → [J].

        InputError: a quantity that is 0 for every jet (the data set does not hold it) or not finite, or a calculation
        that gives no number (0/0).
        """
        values = {}
        for name in self.columns:
            values[name] = np.asarray(jets[name], np.float64)
            bad = int((~np.isfinite(values[name])).sum())
            if bad:
                raise InputError(
                    f"selection '{self.expression}': {name} of {bad} objects is not finite; build the data set again."
                )
            if not values[name].any():
                raise InputError(
                    f"selection '{self.expression}': the data set holds no {name} (0 for every object); cut on "
                    "something else, or build from inputs that have it."
                )
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            result = self._value(self._tree, values)
        length = len(next(iter(values.values())))
        return np.broadcast_to(np.asarray(result, bool), length).copy()

    def _value(self, node: ast.expr, jets: Mapping[str, NDArray[np.float64]]) -> Values:
        """``node`` for every jet; it has been checked."""
        match node:
            case ast.BoolOp(op=op, values=parts):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                whole = self._value(parts[0], jets)
                for part in parts[1:]:
                    whole = join(whole, self._value(part, jets))
                return whole
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return np.logical_not(self._value(operand, jets))
            case ast.UnaryOp(op=sign, operand=operand):
                return _SIGNS[type(sign)](self._value(operand, jets))
            case ast.BinOp(left=left, op=operator, right=right):
                found = _ARITHMETIC[type(operator)](self._value(left, jets), self._value(right, jets))
                bad = int(np.isnan(found).sum())
                if bad:
                    raise InputError(
                        f"selection '{self.expression}': '{ast.unparse(node)}' is no number for {bad} objects (0/0); "
                        "rewrite it without the division."
                    )
                return found
            case ast.Compare(left=left, ops=operators, comparators=others):
                sides = [self._value(side, jets) for side in (left, *others)]
                steps = zip(operators, sides[:-1], sides[1:], strict=True)
                result = [_COMPARISONS[type(operator)](one, two) for operator, one, two in steps]
                return np.asarray(np.logical_and.reduce(np.broadcast_arrays(*result)), bool)
            case ast.Call(args=[argument]):
                return np.abs(self._value(argument, jets))
            case ast.Name(id=name):
                return jets[name]
            case ast.Constant(value=value):
                return np.asarray(value, np.float64)
        raise AssertionError(ast.dump(node))


def parse_cuts(expression: str, known: Collection[str]) -> Cuts:
    """Check a selection over the columns ``known`` of a data set's objects, without those of ``NOT_FOR_CUTS``.

    UsageError: not an expression, a name or a construct that is not understood (naming it and what is), numbers where
    conditions belong or the other way round, or no jet quantity at all.
    """
    shown = expression if len(expression) <= 100 else expression[:97] + "..."
    if len(expression) > LONGEST:
        raise UsageError(f"selection '{shown}': longer than {LONGEST} characters; shorten it.")
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"selection '{shown}': cannot be read as an expression; allowed are {SYNTAX}.") from error
    columns = tuple(name for name in known if name not in NOT_FOR_CUTS)
    names: list[str] = []
    try:
        condition = _is_condition(tree, shown, columns, names)
    except RecursionError as error:
        raise UsageError(f"selection '{shown}': nested too deeply; simplify it.") from error
    if not condition:
        raise UsageError(f"selection '{shown}': a number, not a condition; compare it with something.")
    if not names:
        raise UsageError(f"selection '{shown}': cuts on no object quantity; name one of {', '.join(columns)}.")
    return Cuts(expression.strip(), tuple(dict.fromkeys(names)), tree)


def _is_condition(node: ast.expr, shown: str, columns: tuple[str, ...], names: list[str]) -> bool:
    """Check ``node`` and all below it: whether it is a condition (else a number); ``names`` gathers the columns."""

    def check(parts: Iterable[ast.expr], conditions: bool) -> None:
        for part in parts:
            if _is_condition(part, shown, columns, names) != conditions:
                is_, wanted = ("a number", "a condition") if conditions else ("a condition", "a number")
                raise UsageError(
                    f"selection '{shown}': '{ast.unparse(part)}' is {is_} where {wanted} belongs; rewrite it."
                )

    match node:
        case ast.BoolOp(values=parts):
            check(parts, conditions=True)
            return True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            check([operand], conditions=True)
            return True
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            check([operand], conditions=False)
            return False
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            check([left, right], conditions=False)
            return False
        case ast.Compare(left=left, ops=operators, comparators=others) if all(
            type(o) in _COMPARISONS for o in operators
        ):
            check([left, *others], conditions=False)
            return True
        case ast.Call(func=ast.Name(id="abs"), args=[argument], keywords=[]) if not isinstance(argument, ast.Starred):
            check([argument], conditions=False)
            return False
        case ast.Name(id=name) if name in columns:
            names.append(name)
            return False
        case ast.Name(id=name):
            raise UsageError(f"selection '{shown}': no object quantity '{name}'; there are {', '.join(columns)}.")
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value) if abs(value) < 1e300 and math.isfinite(value):
            return False
    raise UsageError(f"selection '{shown}': '{ast.unparse(node)[:100]}' is not understood; allowed are {SYNTAX}.")
