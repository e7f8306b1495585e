"""Hits of CMS's numbering, subdetector and layer, as hits of channels."""

from __future__ import annotations

import numpy as np

from e2egraph.detector.channels import hit_channels
from e2egraph.events.flat import Flat

# Code of a hit in a layer that has no channel, such as the endcaps (FPIX, TID, TEC): none of a channel's numbers.
NO_CHANNEL = -1
# Largest subdetector and layer that CMS counts to, by far.
LARGEST_CMS = 63


def with_channel(hits: Flat) -> Flat:
    """Hits of the layers that are channels, with ``channel`` in place of subdetector and layer."""
    subdetector, layer = hits.columns["subdetector"], hits.columns["layer"]
    # CMS's numbers are small: the code of a pair is looked up in a table.
    codes = np.full((LARGEST_CMS + 1) ** 2, NO_CHANNEL, np.int16)
    others = []
    for channel in hit_channels():
        if channel.cms is None:
            continue
        if min(channel.cms) >= 0 and max(channel.cms) <= LARGEST_CMS:
            codes[channel.cms[0] * (LARGEST_CMS + 1) + channel.cms[1]] = channel
        else:
            others.append((channel, channel.cms))
    pair = subdetector.astype(np.intp) * (LARGEST_CMS + 1)
    pair += layer.astype(np.intp)
    small = all(values.min(initial=0) >= 0 and values.max(initial=0) <= LARGEST_CMS for values in (subdetector, layer))
    if small:
        code = codes.take(pair)
    else:
        known = (subdetector >= 0) & (subdetector <= LARGEST_CMS) & (layer >= 0) & (layer <= LARGEST_CMS)
        code = np.where(known, codes.take(np.where(known, pair, 0)), NO_CHANNEL)
        for channel, (wanted, number) in others:
            code[(subdetector == wanted) & (layer == number)] = channel
    places = {name: hits.columns[name] for name in ("x", "y", "z")}
    return Flat(hits.counts, {**places, "channel": code.astype(np.uint8)}).take(code != NO_CHANNEL)
