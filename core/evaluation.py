"""One evaluation: a data set, what to measure it with, and the figures that come of it.

`Evaluation` holds what the guidance scales of a sweep have in common, so that the photos are
measured once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from core import distributed
from core.data_trees import Pair
from core.dataset import read_photo
from core.features import FeatureNetwork
from core.kept_pictures import KeptPictures
from core.label_sheet import big_regions, label_figures, label_sheet, sample_rows
from core.measure import Measures, Series, Source, measure, photos, sampled
from core.palette import Palette
from core.realism import (
    NEAREST_NETWORK,
    Nearest,
    Reference,
    distances,
    evenly,
    nearest_figures,
    nearest_photos,
    nearest_sheet,
    split_distances,
)
from core.reconstruction import Fidelity, Reconstruction, reconstructed
from core.report import (
    autoencoder_report,
    label_report,
    nearest_report,
    report,
    series_sheet,
    summary,
    write_sheet,
)
from core.request import Engine, SampleRequest

NEAREST_REAL = 200  # photos whose nearest neighbours the pictures' are compared with, at most


@dataclass(frozen=True, eq=False)
class Evaluation:
    """data: name of the data set. real: photos are measured too. nearest: number of pictures whose
    nearest photo is sought. labels: ids of the labels to show big regions of. out: folder for the
    sheets and for what a stopped run finds again, or None. made_with: what pictures depend on
    beside their request; see `KeptPictures`.

    Methods print their tables and raise `InputError`. Under `torchrun` the processes share the
    pictures by means of `out`; all but the first give no figures.
    """

    data: str
    pairs: Sequence[Pair]
    palette: Palette
    measures: Measures
    reference: Reference | None = None
    real: bool = False
    nearest: int = 0
    labels: Sequence[int] = ()
    out: Path | None = None
    made_with: Mapping[str, str] = field(default_factory=dict)

    def of_photos(self) -> dict:
        """The photos alone: the ceiling."""
        if self._photos is None:
            return {}
        figures = self._about() | self._figures({"photos": self._photos})
        print(report(figures))
        return figures

    def of_model(self, engine: Engine, template: SampleRequest, name: str = "") -> dict:
        """Sample and measure `template.count` pictures of each layout; sheets are named `…name`."""
        chosen = evenly(len(self.pairs) * template.count, self.nearest)
        measures = replace(self.measures, keep=chosen)
        title = f"Measuring, guidance {template.guidance_scale:g}"
        made_with = {**self.made_with, "precision": engine.info.precision}
        kept = KeptPictures(self.out and self.out / f"pictures{name}", made_with)
        pictures = self._measure(measures, sampled(engine, template, kept), title)
        beside = {"photos": self._photos} if self.real else {}  # here, where all processes are
        if pictures is None:
            return {}
        recipe = template.recipe(engine.info.name) | {"pictures_per_layout": template.count}
        if template.size is None:  # then each picture has the size of its own layout
            recipe = {k: v for k, v in recipe.items() if k not in ("width", "height")}
        figures = self._about() | {"sampling": recipe}
        figures |= self._figures({"pictures": pictures} | beside)
        print(report(figures))
        if pictures.rows:
            samples = [f"sample {i + 1}" for i in range(template.count)]
            heads = ["layout", *samples, *(["photo"] if measures.photos else [])]
            image = series_sheet(pictures.rows, heads)
            self.write(figures, f"sheet{name}.png", "Layouts and their pictures", image)
        if self.nearest:
            self._nearest(figures, pictures, name)
        if self.labels:
            self._labels(figures, engine, template, kept, name)
        return figures

    def of_autoencoder(self, autoencoder: Reconstruction, fidelity: Fidelity) -> dict:
        """Photos beside their reconstructions: no diffusion model is needed or run."""
        source = reconstructed(autoencoder, fidelity)
        measures = replace(self.measures, distance=None, photos=True)
        rebuilt = measure(self.pairs, self.palette, measures, source, "Reconstructing")
        figures = self._about() | {"weights": autoencoder.name}
        beside = {"photos": self._photos} if self.real else {}
        figures |= self._figures({"reconstructions": rebuilt} | beside)
        figures["reconstructions"] |= fidelity.figures() | autoencoder.timing()
        print(report(figures), autoencoder_report(figures["reconstructions"]), sep="\n\n")
        if rebuilt.rows:
            heads = ("layout", "rebuilt", "photo")
            image = series_sheet(rebuilt.rows, heads)
            self.write(figures, "sheet.png", "Photos and their reconstructions", image)
        return figures

    # -- parts ------------------------------------------------------------------------------------

    def _about(self) -> dict:
        """What was measured, for the head of metrics.json."""
        about: dict = {"data": self.data, "palette": self.palette.name, "layouts": len(self.pairs)}
        if self.reference:
            about["reference"] = {"folder": self.reference.folder, "photos": len(self.reference)}
            about["networks"] = {n.name: n.identity for n in self._networks}
        return about

    def _figures(self, series: dict[str, Series]) -> dict:
        """The figures of `series`, and how far they are from the reference."""
        figures = summary(series, self.palette)
        if self.reference:
            for kind, one in series.items():
                features = {n.name: one.features(n.name) for n in self._networks}
                figures[kind] |= distances(features, self.reference)
            count = next(iter(series.values())).pictures
            figures["reference_split"] = split_distances(self.reference, count)
        return figures

    def _nearest(self, figures: dict, pictures: Series, name: str) -> None:
        found = self._nearest_photos(list(pictures.kept.values()))
        figures["nearest"] = nearest_figures(found, self._nearest_of_photos)
        print("\n" + nearest_report(figures["nearest"]))
        title = "Pictures and the photo that is nearest to each, nearest first"
        self.write(figures, f"nearest{name}.png", title, nearest_sheet(found))

    def _labels(
        self,
        figures: dict,
        engine: Engine,
        template: SampleRequest,
        kept: KeptPictures,
        name: str,
    ) -> None:
        segment, merged = self.measures.segment, self.measures.merged
        rows = big_regions(self.pairs, self.palette, self.labels)
        sample_rows(rows, engine, template, segment, kept)
        figures["labels"] = label_figures(rows, self.palette, merged, segment)
        print("\n" + label_report(figures["labels"]))
        title = "Big regions of rare labels"
        self.write(figures, f"labels{name}.png", title, label_sheet(rows, self.palette))

    @cached_property
    def _photos(self) -> Series | None:
        """The photos of the data, measured once."""
        measures = replace(self.measures, distance=None, sheet_rows=0)
        return self._measure(measures, photos, "Measuring photos")

    def _measure(self, measures: Measures, source: Source, title: str) -> Series | None:
        """`measure`, each process its share, then the first one all that they found."""
        if distributed.world() > 1:
            mine = distributed.shared_range(len(self.pairs))
            measure(self.pairs, self.palette, measures, source, title, mine)
            if distributed.rank():
                return None
        return measure(self.pairs, self.palette, measures, source, title)

    @cached_property
    def _nearest_of_photos(self) -> Nearest:
        chosen = [self.pairs[i] for i in sorted(evenly(len(self.pairs), NEAREST_REAL))]
        return self._nearest_photos([(pair.name, read_photo(pair.image)) for pair in chosen])

    def _nearest_photos(self, named: Sequence[tuple]) -> Nearest:
        (network,) = (n for n in self._networks if n.name == NEAREST_NETWORK)
        return nearest_photos(named, network, self.reference)

    @property
    def _networks(self) -> Sequence[FeatureNetwork]:
        return self.measures.networks

    def write(self, figures: dict, name: str, title: str, image: np.ndarray) -> None:
        """A sheet, which the figures then tell of."""
        if self.out:
            write_sheet(self.out / name, image)
            figures.setdefault("sheets", {})[name] = title
