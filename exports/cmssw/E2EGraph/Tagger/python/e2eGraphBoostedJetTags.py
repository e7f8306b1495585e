"""JetTags by CMSSW's BoostedJetONNXJetTagsProducer, from the TagInfos of this package and the files of a bundle."""

import json
import os
from pathlib import Path

from RecoBTag.ONNXRuntime.boostedJetONNXJetTagsProducer_cfi import boostedJetONNXJetTagsProducer


def class_labels(bundle):
    """Labels of the bundle's classes in the order of its scores; ``bundle``: its folder as FileInPath finds it."""
    name = bundle + "/preprocess.json"
    for folder in os.environ["CMSSW_SEARCH_PATH"].split(":"):
        path = Path(folder, name)
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))["flav_names"]
    raise OSError(f"{name}: not in CMSSW_SEARCH_PATH; copy the bundle into the data folder of a package.")


def e2e_graph_boosted_jet_tags(bundle="E2EGraph/Tagger/data/bundle", tag_infos="e2eGraphTagInfos"):
    """A producer of one JetTagCollection a class, named after it."""
    return boostedJetONNXJetTagsProducer.clone(
        src=tag_infos,
        preprocess_json=bundle + "/preprocess.json",
        model_path=bundle + "/model.onnx",
        flav_names=class_labels(bundle),
    )
