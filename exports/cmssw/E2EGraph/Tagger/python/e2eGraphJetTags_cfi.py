"""An e2egraph bundle on every jet of a collection: a value map a class or predicted quantity, named after it."""

import FWCore.ParameterSet.Config as cms  # noqa: N813

e2eGraphJetTags = cms.EDProducer(  # noqa: N816
    "E2EGraphJetTagsProducer",
    # metadata.json of the bundle; its other files lie next to it.
    bundle=cms.FileInPath("E2EGraph/Tagger/data/bundle/metadata.json"),
    # "fp16" or "int8" instead of model.onnx, where the bundle has it.
    variant=cms.string(""),
    # Jets a call of ONNX Runtime, at most.
    batchSize=cms.uint32(16),
    jets=cms.InputTag("ak8PFJetsPuppi"),
    # Value maps of those jets, for bundles that read jet quantities; what is left empty counts as 0.
    softDropMass=cms.InputTag(""),
    tau1=cms.InputTag(""),
    tau2=cms.InputTag(""),
    tau3=cms.InputTag(""),
    vertices=cms.InputTag("offlinePrimaryVertices"),
    # Only the collections whose channels the bundle reads are consumed, and hbheHits for the seeds.
    tracks=cms.InputTag("generalTracks"),
    pixelHits=cms.InputTag("siPixelRecHits"),
    stripHits=cms.VInputTag("siStripMatchedRecHits:rphiRecHit", "siStripMatchedRecHits:stereoRecHit"),
    # A matched hit is made of an rphi and a stereo hit, which count already.
    matchedStripHits=cms.VInputTag(),
    ebHits=cms.InputTag("reducedEcalRecHitsEB"),
    eeHits=cms.InputTag("reducedEcalRecHitsEE"),
    hbheHits=cms.InputTag("hbhereco"),
    # As the bundle says that its training files were read. To be set where it does not say: ecal_point, ecal_momentum
    # (MLAnalyzer) or vertex; 0 for towers summed over depths, or a depth (MLAnalyzer: 1).
    trackDirection=cms.string(""),
    seedDepth=cms.int32(-1),
)
