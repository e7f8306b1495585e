"""``e2egraph.Run``: a trained network in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from e2egraph.api.outputs import parquet_path
from e2egraph.api.settings import Settings, as_texts
from e2egraph.data.candidates import Candidates, Decoding
from e2egraph.data.scores import Scores
from e2egraph.evaluation.predictions import predict_run
from e2egraph.folders import user_path
from e2egraph.models.given import lent
from e2egraph.training.runs.load import load_run
from e2egraph.training.runs.run_folder import RunInfo, read_run

if TYPE_CHECKING:
    from e2egraph.api.tagger import Tagger


@dataclass(frozen=True)
class Run:
    """What ``train`` makes and ``load`` opens.

    ``folder``: where it lies. ``given``: the network object that it was trained from, where that came from the program
    and not from a name.

    Example:
        >>> run = e2e.load("runs/g")
        >>> run.info.model.name, run.info.objective.class_names
        ('gravnet', ('qcd', 'top'))
    """

    folder: Path
    given: nn.Module | None = None

    @cached_property
    def info(self) -> RunInfo:
        """What its files say: model, recipe, seed, data set, objective, inputs; InputError when it is no run."""
        return read_run(self.folder)

    @property
    def summary(self) -> Mapping[str, Any]:
        """The content of ``summary.json``: parameters, epochs, best epoch and its validation figures; empty while the
        run is not finished."""
        return self.info.summary

    @property
    def network(self) -> nn.Module:
        """A new network with the weights of the best epoch, in evaluation mode, on the CPU.

        InputError: no epoch is finished yet, or the checkpoint is damaged.
        """
        with lent(self.given):
            return load_run(self.folder)[0]

    def predict(
        self,
        data: str | Path,
        *,
        split: str | None = None,
        output: str | Path | None = None,
        settings: Settings | None = None,
    ) -> Scores:
        """Score the objects of a data set, with torch, on a GPU where there is one.

        Args:
            data: Folder of the data set; of the run's task, or any whose variables and channels the network reads.
            split: ``train``, ``validation`` or ``test``; all objects by default.
            output: Parquet file to write the scores to as well.
            settings: How objects are read, such as ``{"data.evaluation_batch_size": 16}`` for less memory.

        Returns:
            A row for each object, in the order of the data set.

        Raises:
            UsageError: A setting that cannot be changed of a trained run, or an output of another format's name.
            InputError: Data set missing, damaged or one that the network cannot read, an empty split, memory full.

        Example:
            >>> scores = e2e.load("runs/g").predict("data/top", split="test")
            >>> scores["score_top"].shape == scores["label"].shape == (len(scores),)
            True
        """
        path = parquet_path(output)
        with lent(self.given):
            scores = predict_run(self.folder, user_path(data), path, split, settings=as_texts(settings))
        assert scores is not None  # as no other process shares the jets
        return scores

    def particles(
        self,
        data: str | Path,
        *,
        split: str | None = None,
        output: str | Path | None = None,
        soft: bool = False,
        settings: Settings | None = None,
    ) -> Candidates:
        """Find the particles of the events of a data set, with the network of a task of particle flow.

        Args:
            data: Folder of the data set, of elements.
            split: ``train``, ``validation`` or ``test``; all events by default.
            output: Parquet file to write the candidates to as well.
            soft: Take every element with its momentum times its probability to be a particle, and not only those that
                are more probably one than none.
            settings: How events are read, such as ``{"data.evaluation_batch_size": 4}`` for less memory.

        Returns:
            A row for each candidate: ``row`` of the event in the data set, ``node`` in the event, ``class`` (number in
            ``classes``), ``charge`` [e], ``pt`` [GeV], ``eta``, ``phi`` [rad], ``energy`` [GeV], ``pileup``,
            ``probability`` that the node is a particle.

        Raises:
            UsageError: A setting that cannot be changed of a trained run, or an output of another format's name.
            InputError: A run of another objective; data set missing, damaged or one that the network cannot read.
        """
        from e2egraph.evaluation.particles import find_particles

        path, how = parquet_path(output), Decoding(method="soft" if soft else "hard")
        with lent(self.given):
            return find_particles(self.folder, user_path(data), path, split, decoding=how, settings=as_texts(settings))

    def export(self, output: str | Path, **options: Any) -> Tagger:
        """Write the network as a bundle, a folder with ONNX and all that C++ needs, if ONNX Runtime agrees with torch.

        Args:
            output: Folder of the bundle to make.
            **options: Of ``export.write_bundle``: ``data`` (folder of the data set to check on), ``fp16`` and ``int8``
                (add these variants), ``track_direction``, ``seed_depth``, ``triton`` (a Triton model repository),
                ``layout`` (``cmssw`` or ``cmssw-soft``, of particle flow).

        Returns:
            The bundle, opened.

        Raises:
            InputError: Another folder's content in ``output``, a network that ONNX cannot express, or outputs that
                differ.
            UsageError: An unknown ``track_direction``, ``seed_depth`` or ``layout``.

        Example:
            >>> e2e.load("runs/g").export("exports/g").classes
            ('qcd', 'top')
        """
        from e2egraph.api.export import write_bundle
        from e2egraph.api.tagger import Tagger

        write_bundle(self.network, self.info, output, **options)
        return Tagger(output)
