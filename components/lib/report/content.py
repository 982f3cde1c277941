"""Content of a report, free of how it looks: :mod:`components.lib.report.page` turns it into HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from components.lib.metrics.intervals import Interval
from components.lib.report.panels import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture of a tile.

    Attributes:
        title: Short caption.
        picture: (H, W, 3) RGB.
        alt: Description for a reader who cannot see it.
        note: A number to print beside the caption, or "".
    """

    title: str
    picture: Picture
    alt: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePanels:
    """Pictures of one tile: its images, its truth and the predictions of models.

    Attributes:
        image_id: The tile; data from outside, escaped on the page.
        heading: Position in the ranking, e.g. ``Worst``.
        facts: Short remarks.
        panels: Pictures in reading order.
    """

    image_id: str
    heading: str
    facts: Sequence[str]
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Tiles of one sensor and how they were chosen."""

    title: str
    rule: str
    tiles: Sequence[TilePanels]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One model on one sensor's test tiles.

    Attributes:
        model: Title of the model.
        description: The model in a few words.
        sensor: Sensor of the tiles.
        iou: Pixel intersection over union with its interval.
        f1: SpaceNet F1 with its interval; None in all rows of a task without objects.
        apls: APLS of road graphs with its interval; None in all rows of a task without them.
        values: Further numbers by column title, in column order.
        further: Numbers of the second table, which fewer readers need, by column title.
        emphasis: True for the rows a reader should compare first.
    """

    model: str
    description: str
    sensor: str
    iou: Interval
    f1: Interval | None
    values: dict[str, float]
    further: dict[str, float]
    emphasis: bool = False
    apls: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTable:
    """Results on one set of tiles."""

    title: str
    about: str
    rows: Sequence[ResultRow]

    @property
    def groups(self) -> list[tuple[str, list[ResultRow]]]:
        """Return rows by sensor, both in the order given."""
        sensors = dict.fromkeys(row.sensor for row in self.rows)
        return [(sensor, [row for row in self.rows if row.sensor == sensor]) for sensor in sensors]

    @property
    def has_objects(self) -> bool:
        """Return whether the rows have an F1 of objects."""
        return any(row.f1 is not None for row in self.rows)

    @property
    def has_graphs(self) -> bool:
        """Return whether the rows have an APLS."""
        return any(row.apls is not None for row in self.rows)

    @property
    def scale(self) -> float:
        """Return the right end of the interval drawings: the largest upper bound, rounded up to a tenth."""
        drawn = [interval for row in self.rows for interval in (row.iou, row.f1, row.apls)]
        highest = max((interval.high for interval in drawn if interval is not None), default=1.0)
        return min(1.0, int(highest * 10 + 1) / 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """One model minus another on the same tiles and ground blocks.

    Attributes:
        label: The two models.
        sensor: Sensor of the tiles.
        metric: Title of the metric.
        interval: The difference with its interval.
        least: Difference that repeated trainings of one recipe do not reach; None where it is not known.
    """

    label: str
    sensor: str
    metric: str
    interval: Interval
    least: float | None

    @property
    def verdict(self) -> str:
        """Return the conclusion that the spread of trainings and the interval allow."""
        if self.least is None:
            return "spread of repeated trainings not known"
        if abs(self.interval.value) < self.least:
            return "within the spread of repeated trainings"
        if self.interval.degenerate:
            return "too few ground blocks: no interval"
        if self.interval.low > 0:
            return "better"
        return "worse" if self.interval.high < 0 else "not distinguishable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGroup:
    """Values of all models on one sensor.

    Attributes:
        sensor: Sensor of the tiles.
        counts: Number of tiles or buildings in each slice.
        rows: Title of a model, and one value per slice (None where the model has nothing in it).
    """

    sensor: str
    counts: Sequence[int]
    rows: Sequence[tuple[str, Sequence[Interval | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceTable:
    """One metric of all models over the slices of one dimension.

    Slices are the columns: they are few, however many models there are.

    Attributes:
        title: The dimension.
        metric: Meaning of the values, and of the counts.
        slices: Title of each column.
        groups: Rows by sensor.
    """

    title: str
    metric: str
    slices: Sequence[str]
    groups: Sequence[SliceGroup]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """Address of another page, relative to this one, and its title."""

    address: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureFile:
    """A picture file already in the report's folder."""

    path: str
    alt: str
    width: int
    height: int
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """The whole page.

    Attributes:
        title: Heading of the page.
        simulated: Notice of the simulated sensors, or "" where everything is real.
        spread: Spread between repeated trainings, which the page opens with.
        summary: Sentences that say the outcome with its numbers.
        tables: Result tables, the headline first.
        differences: Paired comparisons.
        galleries: Tiles in pictures.
        slices: Slice tables.
        figures_about: Meaning of the figures.
        figures: Curves and the like.
        definitions: Terms and their meaning.
        provenance: Hashes and versions behind the numbers.
        links: Other pages of the same run.
    """

    title: str
    simulated: str
    spread: str
    summary: Sequence[str]
    tables: Sequence[ResultTable]
    differences: Sequence[DifferenceRow] = ()
    galleries: Sequence[Gallery] = ()
    slices: Sequence[SliceTable] = ()
    figures_about: str = ""
    figures: Sequence[FigureFile] = ()
    definitions: Sequence[tuple[str, str]] = ()
    provenance: Sequence[tuple[str, str]] = field(default_factory=tuple)
    links: Sequence[PageLink] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotsContent:
    """Page of figures alone.

    Attributes:
        title: Heading of the page.
        simulated: Notice of the simulated sensors, or "" where everything is real.
        sections: Heading, explanation and figures.
        links: Other pages of the same run.
    """

    title: str
    simulated: str
    sections: Sequence[tuple[str, str, Sequence[FigureFile]]]
    links: Sequence[PageLink]
