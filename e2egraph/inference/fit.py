"""Whether a data set holds what a bundle's network was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from e2egraph.data.fit import check_inputs
from e2egraph.errors import InputError
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.inference.session import Bundle
from e2egraph.tasks.objectives.description import predicted


def check_fit(bundle: Bundle, data: Path, manifest: Manifest) -> None:
    """InputError unless the network of ``bundle`` can score the objects of the data set.

    It must be of the bundle's objective (and of its classes where these are predicted), and hold the bundle's inputs
    (``data.fit.check_inputs``).
    """
    info = bundle.metadata.info
    asked, found = predicted(info.objective), predicted(manifest.configuration["objective"])
    if asked != found:
        raise InputError(
            f"{data}: its objective is {found}, that of {bundle.folder} {asked}; give a data set of the bundle's task."
        )
    read = replace(info.node_selection, cap=bundle.cap)
    # What a bundle of an earlier version does not record is known of its own data set alone.
    own = manifest.lacking if manifest.digest == info.dataset_sha256 else ()
    lacked = own if info.lacking is None else info.lacking
    check_inputs(data, manifest, bundle.inputs, info.configuration, read, lacked, bundle.folder)
