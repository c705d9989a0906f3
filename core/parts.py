"""An edit in several places is made place by place, where that is less work than one crop of all.

Changes far apart, a cloud here and a flower there, would otherwise cost the whole canvas. Each part
goes on from the picture with the parts before it; their regions do not touch, and what a part keeps
is what the others made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from core.crop import CONTEXT, Crop, room_of
from core.labelmap import Box
from core.repaint import Inpaint
from core.request import Event, Preview, Result, SampleRequest, Started, Stepped
from core.term_weights import joined, part_of

MOST = 24  # places; of more, the nearest ones are taken together first
FIXED = 220 * 220  # pixels whose work a step takes whatever its size: docs/decisions/014


def parts_of(
    inpaint: Inpaint, canvas: tuple[int, int], factor: int, multiple: int
) -> list[Inpaint]:
    """The same edit as parts whose regions are disjoint; itself alone if that is less work.

    factor, multiple: as of `Crop.of`. An edit that is inverted first stays one walk.
    """
    names = None if inpaint.invert else _places(inpaint.region)
    if names is None:
        return [inpaint]
    inside = [names == n for n in np.unique(names)]
    rooms = [room_of(inpaint.region & m, inpaint.blend * m, canvas) for m in inside]

    def work(room: Box) -> int:
        box = Crop.around(room, canvas, factor, multiple).box
        return FIXED + box.width * box.height

    groups = list(zip(inside, rooms, strict=True))
    while (pair := _best_pair(groups, work)) is not None:
        (first, one), (second, other) = (groups.pop(i) for i in sorted(pair, reverse=True))
        groups.append((first | second, one.union(other)))
    if len(groups) == 1:
        return [inpaint]
    return [
        replace(inpaint, region=inpaint.region & mask, blend=inpaint.blend * mask)
        for mask, _ in groups
    ]


def _places(region: np.ndarray) -> np.ndarray | None:
    """int `[H, W]`: for each pixel the place that it is nearest to; None if there is but one.

    Pixels whose contexts meet are of one place: neither could be sampled without the other.
    """
    away = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    radius = CONTEXT
    while True:
        count, _ = cv2.connectedComponents((away <= radius).astype(np.uint8))
        if count - 1 <= MOST:  # in the end they are one
            break
        radius *= 2
    if count - 1 < 2:
        return None
    near = (away > radius).astype(np.uint8)
    _, names = cv2.distanceTransformWithLabels(
        near, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    return names


def _best_pair(
    groups: list[tuple[np.ndarray, Box]], work: Callable[[Box], int]
) -> tuple[int, int] | None:
    """The two groups that are the most work less as one; None if there are none."""
    savings = {
        (i, j): work(groups[i][1]) + work(groups[j][1]) - work(groups[i][1].union(groups[j][1]))
        for i in range(len(groups))
        for j in range(i)
    }
    best = max(savings, key=savings.__getitem__, default=None)
    return best if best is not None and savings[best] >= 0 else None


def sampled_in_parts(
    request: SampleRequest,
    parts: list[Inpaint],
    steps: list[int],
    sample: Callable[[SampleRequest], Iterator[Event]],
) -> Iterator[Event]:
    """The events of one edit, of those of its parts. steps: how many each part takes.

    Its result carries the whole request, with the guidance scales and the weights of all steps.
    """
    total, before, seconds = sum(steps), 0, 0.0
    given, used, weighed = request.scales, [], []
    picture, trajectory = request.inpaint.picture, request.inpaint.trajectory
    yield Started(request, total)
    for part, count in zip(parts, steps, strict=True):
        part = replace(part, picture=picture, trajectory=trajectory)
        scales = given[before : before + count] if len(given) == total else given
        terms = part_of(request.terms, before, count, total)
        asked = replace(request, inpaint=part, guidance_scale=scales, terms=terms)
        for event in sample(asked):
            match event:
                case Stepped(step):
                    yield Stepped(before + step, total)
                case Preview(images, step):
                    yield Preview(images, before + step, total)
                case Result():
                    picture, trajectory = event.image, event.trajectory
                    made = event.request.scales
                    used += made * (count // len(made))  # one for all steps, or one for each
                    weighed.append((event.request.terms, count))
                    seconds += event.seconds
                    name = event.weights
        before += count
    scale = used[0] if len(set(used)) == 1 else tuple(used)
    made = replace(request, guidance_scale=scale, terms=joined(weighed))
    yield Result(picture, made, seconds, name, trajectory)
