"""Pythia 8 and a CMS-like parametric detector simulation, writing RHTree ROOT files.

``simulate.simulate`` runs the whole chain, ``simulate.read_settings`` reads its configuration; both need no Pythia to
be imported. A batch goes through generator → truth → pileup → material → tracking, trackerhits, showers → candidates →
jets → writer.
"""
