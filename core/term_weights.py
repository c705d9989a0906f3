"""The weights of guidance terms, step by step: the request's own, or a slider's at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from torch import Tensor

from core.sampling import Denoise
from core.schedule import Prediction
from core.terms import GuidanceTerm

Live = Callable[[], Sequence[float]]  # one weight a term, as it is now


class TermWeights:
    """What each term weighs at the present step. live, if given, is asked once a step."""

    def __init__(self, terms: Sequence[GuidanceTerm], live: Live | None = None) -> None:
        self.terms, self._live = tuple(terms), live
        self._used: list[tuple[float, ...]] = []  # of each step so far

    def may_act(self, index: int) -> bool:
        """Whether a term weighs, or could come to weigh, anything at all."""
        return self._live is not None or any(w > 0 for w in self.terms[index].weights)

    def of(self, index: int) -> float:
        """The weight of a term now."""
        return (self._used or [self._at(0)])[-1][index]

    def following(self, denoise: Denoise) -> Denoise:
        """`denoise`, of which each call is a step."""

        def stepping(x: Tensor, t: int) -> Prediction:
            self._used.append(self._at(len(self._used)))
            return denoise(x, t)

        return stepping

    def told(self) -> tuple[GuidanceTerm, ...]:
        """The terms with the weights that they had; those that had their own are the same."""
        if self._live is None or not self._used:
            return self.terms
        return tuple(
            replace(term, weight=compact(own))
            for term, own in zip(self.terms, zip(*self._used, strict=True), strict=True)
        )

    def _at(self, step: int) -> tuple[float, ...]:
        if self._live is not None:
            return tuple(self._live())
        return tuple(t.weights[min(step, len(t.weights) - 1)] for t in self.terms)


def part_of(
    terms: Iterable[GuidanceTerm], before: int, count: int, total: int
) -> tuple[GuidanceTerm, ...]:
    """The terms for `count` of `total` steps, of which `before` came before."""
    return tuple(
        replace(term, weight=compact(term.weights[before : before + count]))
        if len(term.weights) == total
        else term
        for term in terms
    )


def joined(parts: Sequence[tuple[Sequence[GuidanceTerm], int]]) -> tuple[GuidanceTerm, ...]:
    """The same terms with the weights of all steps, of those of each part and its steps."""
    weights = [
        sum((t.weights * (count // len(t.weights)) for t, count in own), ())
        for own in zip(*([(t, count) for t in terms] for terms, count in parts), strict=True)
    ]
    return tuple(
        replace(term, weight=compact(own)) for term, own in zip(parts[0][0], weights, strict=True)
    )


def compact(values: Sequence[float]) -> float | tuple[float, ...]:
    """One value for all steps where that says it."""
    return values[0] if len(set(values)) == 1 else tuple(values)
