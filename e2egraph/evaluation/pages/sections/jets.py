"""Single objects as points and as images, with how much of the score comes from their parts; jets.js fills it."""

from __future__ import annotations

from e2egraph.evaluation.pages.elements import Section
from e2egraph.evaluation.pages.jet_data import CELL_CRYSTALS
from e2egraph.evaluation.pages.sections.registry import Evaluated, section


@section("jets")
def jets(evaluated: Evaluated) -> Section | None:
    shown, data = evaluated.shown, evaluated.jets
    if shown is None or data is None:
        return None
    image = (
        "The image is the one this network reads, drawn from the same nodes."
        if data["image_is_input"]
        else "This network reads nodes; the image is drawn from the same nodes, with the published planes."
    )
    what = f"the log-odds of {shown.of}" if shown.is_class else shown.effect
    effect = (
        f"Effects are changes of {what} when nodes are left out: those of one channel, or those of a square of "
        f"{CELL_CRYSTALS}×{CELL_CRYSTALS} crystals, which all nodes in it share. Above zero they are evidence for "
        f"{shown.of} (red), below against it (blue)."
    )
    name = evaluated.objects
    content = {"words": [*shown.words, image, effect], "object": name.one}
    return Section(name.many.capitalize(), "jets.html.j2", content)
