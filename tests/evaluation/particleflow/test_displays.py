"""Displays of events: which are chosen, and what their captions say."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.evaluation.particleflow.columns import PERFECT, RULES, TARGET, read_events
from e2egraph.evaluation.particleflow.displays import choose_events, draw_displays


@pytest.fixture(scope="module")
def events(flow_data):
    """Columns: rules that find the generator's own particles, with a scale for each event; targets."""
    found = read_events(flow_data)
    scale = 1.0 + 0.02 * np.arange(found.size)
    gen = found.gen
    exact = replace(gen, pt=scale[gen.event] * gen.pt, energy=scale[gen.event] * gen.energy)
    return replace(found, columns={RULES: exact, TARGET: found.columns[TARGET], PERFECT: found.columns[PERFECT]})


def test_events_go_from_the_median_to_the_worst_measured(events):
    every = choose_events(events, 2 * events.size)
    assert every[-1].rank == 1.0
    for shown in every:
        assert shown.responses == {RULES: pytest.approx(1.0 + 0.02 * shown.event)}
    # The scale grows with the number of the event, and so does what is wrong.
    numbers = [shown.event for shown in every]
    assert numbers == sorted(numbers) and len(numbers) > 2
    one, (middle, worst) = choose_events(events, 1), choose_events(events, 2)
    assert one[0].event == middle.event == numbers[0]
    assert worst.event == numbers[-1]
    assert choose_events(events, 0) == []


def test_an_event_whose_jet_a_column_lacks_is_not_chosen(events):
    rules = events.columns[RULES]
    last = choose_events(events, 1)[0].event
    without = replace(events, columns={**events.columns, "network": rules.take(rules.event != last)})
    chosen = choose_events(without, 2 * events.size)
    assert last not in [shown.event for shown in chosen]
    assert set(chosen[0].responses) == {RULES, "network"}
    nothing = rules.take(np.zeros(0, int))
    assert choose_events(replace(events, columns={RULES: nothing}), 3) == []


def test_a_caption_names_the_event_and_what_each_column_measures(events, tmp_path):
    drawn = draw_displays(tmp_path, events, 2)
    assert list(drawn) == ["event_display_1", "event_display_2"]
    assert {path.name for path in tmp_path.iterdir()} == {f"{stem}.{kind}" for stem in drawn for kind in ("png", "pdf")}
    worst = choose_events(events, 2)[1]
    number = int(events.clouds.jets["event"][worst.event])
    caption, seen = drawn["event_display_2"]
    assert caption.startswith(
        f"Event {number}: its leading generated jet ({worst.pt:.0f} GeV) is measured worst of all"
    )
    assert f"rules {worst.responses[RULES]:.2f}" in caption
    assert f"truth: {int((events.true.event == worst.event).sum())} particles" in seen
