"""Input rows from ``configs/ablations/*.yaml``, and what a row means to a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from e2egraph import config
from e2egraph.config import config_names, configuration
from e2egraph.detector.channels import channels, hit_channels
from e2egraph.errors import UsageError
from e2egraph.evaluation.ablation.results import InputRow, Published
from e2egraph.models.image.planes import PLANES
from e2egraph.models.registry import ModelConfig
from e2egraph.tasks.variables import variables

KIND = "ablations"
DEFAULT = "published"

Share = Annotated[float, Field(ge=0, le=1)]
Names = tuple[str, ...]


@configuration
class PublishedFigures:
    """``signal_efficiency``: at 1% mistag.

    ``auc``: area under the ROC curve.
    """

    auc: Share | None = None
    signal_efficiency: Share | None = None


@configuration
class RowConfig:
    """One row; ``nodes`` and ``image`` stand both or, for all inputs, neither (see ``InputRow``).

    ``name``: short, of files and of ``--rows``. ``title``: in tables and plots. ``nodes``: detector layers that
    point-cloud networks see. ``image``: planes that image networks see. ``hide``: node variables that point-cloud
    networks see as zero. ``published``: figures to show next to those measured.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    title: Annotated[str, Field(min_length=1)]
    nodes: Names | None = None
    image: Names | None = None
    hide: Names = ()
    published: PublishedFigures | None = None

    @field_validator("nodes", "image", "hide")
    @classmethod
    def _different(cls, names: Names | None) -> Names | None:
        if names is not None and len(set(names)) < len(names):
            raise ValueError("a name occurs twice")
        return names

    @model_validator(mode="after")
    def _whole(self) -> RowConfig:
        if (self.nodes is None) != (self.image is None):
            raise ValueError(f"row {self.name}: give both nodes and image, or neither for all inputs")
        if self.nodes == () or self.image == ():
            raise ValueError(f"row {self.name}: it has no inputs; name at least one of each of nodes and image")
        if self.nodes is None and self.hide:
            raise ValueError(f"row {self.name}: it hides variables but names no nodes; a row of all inputs hides none")
        for key, known in (("nodes", tuple(channels())), ("image", _planes()), ("hide", tuple(variables()))):
            wrong = [name for name in getattr(self, key) or () if name not in known]
            if wrong:
                raise ValueError(f"row {self.name}: {key} has no '{wrong[0]}'; known are {', '.join(known)}")
        return self


@configuration
class Preset:
    """A file of rows. ``source``, ``sample``: of the figures in ``published``."""

    rows: Annotated[tuple[RowConfig, ...], Field(min_length=1)]
    source: str = ""
    sample: str = ""

    @model_validator(mode="after")
    def _unlike(self) -> Preset:
        names = [row.name for row in self.rows]
        again = [name for name in names if names.count(name) > 1]
        if again:
            raise ValueError(f"two rows are named '{again[0]}'")
        if sum(row.nodes is None for row in self.rows) > 1:
            raise ValueError("two rows have all inputs")
        if any(row.published is not None for row in self.rows) and not (self.source and self.sample):
            raise ValueError("published figures need their source and their sample")
        return self


def load_rows(chosen: str) -> tuple[InputRow, ...]:
    """``PRESET``, ``PRESET:ROW,ROW``, or ``ROW,ROW`` of the published rows, in the order of the file.

    PRESET is a name in ``configs/ablations`` or a YAML file. UsageError: unknown preset or row, wrong file, no rows.
    """
    head, _, tail = chosen.partition(":")
    if head in config_names(KIND) or head.endswith((".yaml", ".yml")):
        preset, wanted = head, tail
        if chosen.endswith(":"):
            raise UsageError(f"--rows {chosen}: no row is named after the colon; name some, or leave the colon out.")
    else:
        preset, wanted = DEFAULT, chosen
    content = config.load(Preset, KIND, preset)
    rows = tuple(_row(row, content) for row in content.rows)
    if not wanted:
        if not chosen:
            raise UsageError(
                f"--rows: there are no rows; name a preset ({', '.join(config_names(KIND))}) or some rows."
            )
        return rows
    names = [name.strip() for name in wanted.split(",")]
    known = [row.name for row in rows]
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise UsageError(
            f"--rows {chosen}: no row '{unknown}' in {preset}; choose among {', '.join(known)}, or give a YAML file."
        )
    return tuple(row for row in rows if row.name in names)


def row_settings(row: InputRow, model: ModelConfig) -> list[str]:
    """``--set`` values that give ``model`` the inputs of ``row``; none for all inputs.

    Image networks, which choose their planes by the option ``channels``, get the planes; every other network gets zeros
    for the hidden variables. Both read the row's nodes alone.
    """
    if row.nodes is None or row.image is None:
        return []
    settings = [f"data.nodes.channels=[{','.join(row.nodes)}]"]
    if draws_images(model):
        settings.append(f"model.options.channels=[{','.join(row.image)}]")
    elif row.hide:
        settings.append(f"model.hide=[{','.join(row.hide)}]")
    return settings


def draws_images(model: ModelConfig) -> bool:
    """Whether the network has the option ``channels``, which names image planes."""
    return "channels" in model.options


def steps(rows: Sequence[InputRow]) -> list[tuple[InputRow, InputRow]]:
    """Pairs (row, larger row) with no other row between them: what each addition is measured from.

    Rows are ordered by their planes; one of all inputs holds every other.
    """

    def within(small: InputRow, large: InputRow) -> bool:
        if small.image is None or small is large:
            return False
        return large.image is None or set(small.image) < set(large.image)

    return [
        (small, large)
        for small in rows
        for large in rows
        if within(small, large) and not any(within(small, row) and within(row, large) for row in rows)
    ]


def _row(row: RowConfig, preset: Preset) -> InputRow:
    published = None
    if row.published is not None:
        figures = row.published
        published = Published(figures.auc, figures.signal_efficiency, preset.source, preset.sample)
    return InputRow(row.name, row.title, row.nodes, row.image, row.hide, published)


def _planes() -> tuple[str, ...]:
    """Every image plane that has a name: the table's, and one for each layer of hits."""
    return (*PLANES, *(channel.name for channel in hit_channels()))
