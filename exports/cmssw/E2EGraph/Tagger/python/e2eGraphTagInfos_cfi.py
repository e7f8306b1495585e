"""What an e2egraph bundle reads of every jet of a collection, as TagInfos for CMSSW's own producer of JetTags."""

import FWCore.ParameterSet.Config as cms  # noqa: N813

# Parameters as those of e2eGraphJetTags.
e2eGraphTagInfos = cms.EDProducer(  # noqa: N816
    "E2EGraphTagInfoProducer",
    bundle=cms.FileInPath("E2EGraph/Tagger/data/bundle/metadata.json"),
    jets=cms.InputTag("ak8PFJetsPuppi"),
    softDropMass=cms.InputTag(""),
    tau1=cms.InputTag(""),
    tau2=cms.InputTag(""),
    tau3=cms.InputTag(""),
    vertices=cms.InputTag("offlinePrimaryVertices"),
    tracks=cms.InputTag("generalTracks"),
    pixelHits=cms.InputTag("siPixelRecHits"),
    stripHits=cms.VInputTag("siStripMatchedRecHits:rphiRecHit", "siStripMatchedRecHits:stereoRecHit"),
    matchedStripHits=cms.VInputTag(),
    ebHits=cms.InputTag("reducedEcalRecHitsEB"),
    eeHits=cms.InputTag("reducedEcalRecHitsEE"),
    hbheHits=cms.InputTag("hbhereco"),
    trackDirection=cms.string(""),
    seedDepth=cms.int32(-1),
)
