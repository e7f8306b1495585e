"""``e2egraph.Tagger``: a bundle as a tagger, by ONNX Runtime alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from e2egraph.api.outputs import parquet_path
from e2egraph.data.candidates import Candidates, Decoding
from e2egraph.data.scores import Scores
from e2egraph.events.patterns import expand
from e2egraph.events.sources.registry import image_options
from e2egraph.export.bundle import Metadata
from e2egraph.folders import user_path
from e2egraph.inference.predict import predict_dataset
from e2egraph.inference.score import score_files
from e2egraph.inference.session import Bundle


class Tagger:
    """An exported network that scores event files and data sets; torch is not needed.

    Args:
        bundle: Folder that ``Run.export`` or ``e2egraph export`` made.
        threads: Of ONNX Runtime; 0: one a core.
        variant: ``fp16`` or ``int8`` in place of the full network, where the bundle has it.

    Raises:
        InputError: Not a bundle, incomplete, damaged, of another version, or without that variant.
        UsageError: No such variant.

    Example:
        >>> tagger = e2e.Tagger("exports/g")
        >>> tagger.classes, tagger.targets
        (('qcd', 'top'), ())
    """

    def __init__(self, bundle: str | Path, *, threads: int = 0, variant: str | None = None) -> None:
        self._bundle = Bundle.open(user_path(bundle), threads, variant)

    def __repr__(self) -> str:
        return f"Tagger({str(self.folder)!r})"

    @property
    def folder(self) -> Path:
        """The bundle."""
        return self._bundle.folder

    @property
    def metadata(self) -> Metadata:
        """What the bundle says of itself: model, task, inputs, outputs, how it was checked."""
        return self._bundle.metadata

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the task, in the order of their labels."""
        return self._bundle.classes

    @property
    def targets(self) -> tuple[str, ...]:
        """The quantities that are predicted, in the task's units; none where only classes are."""
        heads = self.metadata.outputs.heads
        return tuple(name for head in heads if head.activation == "none" for name in head.columns)

    def score(
        self,
        files: str | Path | Sequence[str | Path],
        *,
        batch_size: int = 64,
        image_channels: str | None = None,
        image_preset: str | Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Scores:
        """Score every object in event files that passes the cuts of the bundle's task: jets, clusters or events.

        No truth is needed, and none is read. Jets, nodes and scores are those that ``build`` and ``predict`` give.

        Args:
            files: Files as ``build`` takes them: a path, glob, URL or ``@LIST``, or several of these.
            batch_size: Objects that the network reads at once; fewer need less memory.
            image_channels: Planes of image files, in the files' order.
            image_preset: The same as a name in ``configs/images`` or a YAML file.
            progress: Called with (files done, files in all).

        Returns:
            A row for each object, in the order of files and events, with ``run``, ``lumi``, ``event``, ``jet`` (its
            index in the event), its quantities (``jet_pt`` [GeV], ``jet_eta``, …), ``n_nodes`` (those that the network
            has seen) and ``score_CLASS`` or ``predicted_TARGET``. An object without nodes has score −1, or NaN.

        Raises:
            InputError: No such file, or one that is unreadable, damaged or lacks what the task needs or the network
                reads (unless the files lacked it too that it was trained on).
            UsageError: Batch size below one, or both ways to name planes.

        Example:
            >>> scores = e2e.Tagger("exports/g").score("ttbar.root")
            >>> len(scores["score_top"]) == len(scores["jet_pt"]) == len(scores)
            True
            >>> scores.to_table().column_names[:4]
            ['run', 'lumi', 'event', 'jet']
        """
        given = [files] if isinstance(files, str | Path) else files
        paths = [path for pattern in given for path in expand(str(pattern), f"file {pattern}")]
        options = image_options(image_channels, None if image_preset is None else str(image_preset))
        unique = list(dict.fromkeys(paths))
        return score_files(self._bundle, unique, options=options, batch_size=batch_size, progress=progress)

    def particles(
        self,
        data: str | Path,
        *,
        split: str | None = None,
        output: str | Path | None = None,
        soft: bool = False,
        batch_size: int = 16,
    ) -> Candidates:
        """Find the particles of the events of a data set, with a bundle of a task of particle flow.

        Args:
            data: Folder of the data set, of the bundle's task.
            split: ``train``, ``validation`` or ``test``; all events by default.
            output: Parquet file to write the candidates to as well.
            soft: Take every element with its momentum times its probability to be a particle, and not only those that
                are more probably one than none.
            batch_size: Events that the network reads at once.

        Returns:
            A row for each candidate, as ``Run.particles``.

        Raises:
            InputError: A bundle of another objective, data set missing, damaged or of another task.
            UsageError: Unknown split, batch size below one, or an output of another format's name.
        """
        from e2egraph.inference.particles import bundle_particles

        path, how = parquet_path(output), Decoding(method="soft" if soft else "hard")
        return bundle_particles(self._bundle, user_path(data), path, split=split, batch_size=batch_size, decoding=how)

    def predict(
        self,
        data: str | Path,
        *,
        split: str | None = None,
        output: str | Path | None = None,
        batch_size: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> Scores:
        """Score the objects of a data set.

        Args:
            data: Folder of the data set, of the bundle's task.
            split: ``train``, ``validation`` or ``test``; all objects by default.
            output: Parquet file to write the scores to as well.
            batch_size: Objects that the network reads at once.
            progress: Called with (objects read, objects in all).

        Returns:
            A row for each object, in the order of the data set.

        Raises:
            InputError: Data set missing, damaged or of another task, or no object in the split.
            UsageError: Unknown split, batch size below one, or an output of another format's name.

        Example:
            >>> e2e.Tagger("exports/g").predict("data/top", split="test").classes
            ('qcd', 'top')
        """
        path = parquet_path(output)
        summary = predict_dataset(
            self._bundle, user_path(data), path, split=split, batch_size=batch_size, progress=progress
        )
        assert summary is not None  # as no other process shares the jets
        return summary.scores
