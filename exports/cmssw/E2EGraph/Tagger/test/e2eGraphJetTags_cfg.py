"""Scores AK8 jets of RECO files: cmsRun e2eGraphJetTags_cfg.py inputFiles=file:reco.root globalTag=..."""

import FWCore.ParameterSet.Config as cms  # noqa: N813
from Configuration.AlCa.GlobalTag import GlobalTag
from Configuration.Eras.Era_Run3_cff import Run3
from E2EGraph.Tagger.e2eGraphBoostedJetTags import e2e_graph_boosted_jet_tags
from FWCore.ParameterSet.VarParsing import VarParsing

options = VarParsing("analysis")
single, string = VarParsing.multiplicity.singleton, VarParsing.varType.string
options.register("globalTag", "auto:phase1_2024_realistic", single, string, "global tag of the files")
options.register("bundle", "E2EGraph/Tagger/data/bundle/metadata.json", single, string, "metadata.json of a bundle")
options.outputFile = "e2egraph.root"
options.maxEvents = 100
options.parseArguments()

process = cms.Process("E2EGRAPH", Run3)
process.load("FWCore.MessageService.MessageLogger_cfi")
process.load("Configuration.StandardSequences.GeometryRecoDB_cff")
process.load("Configuration.StandardSequences.MagneticField_cff")
process.load("Configuration.StandardSequences.FrontierConditions_GlobalTag_cff")
process.load("Configuration.StandardSequences.Reconstruction_cff")
process.load("E2EGraph.Tagger.e2eGraphJetTags_cfi")
process.load("E2EGraph.Tagger.e2eGraphTagInfos_cfi")
process.GlobalTag = GlobalTag(process.GlobalTag, options.globalTag, "")

process.maxEvents.input = options.maxEvents
process.source = cms.Source("PoolSource", fileNames=cms.untracked.vstring(options.inputFiles))

process.e2eGraphJetTags.bundle = options.bundle
process.e2eGraphTagInfos.bundle = options.bundle
process.pfE2EGraphJetTags = e2e_graph_boosted_jet_tags(options.bundle.rsplit("/", 1)[0])

# RECO holds the tracker's clusters but not its hits, which are recomputed on demand.
process.tags = cms.Path(
    process.e2eGraphJetTags + process.e2eGraphTagInfos + process.pfE2EGraphJetTags,
    cms.Task(process.siPixelRecHits, process.siStripMatchedRecHits),
)
process.out = cms.OutputModule(
    "PoolOutputModule",
    fileName=cms.untracked.string(options.outputFile),
    outputCommands=cms.untracked.vstring(
        "drop *",
        "keep *_e2eGraphJetTags_*_*",
        "keep *_pfE2EGraphJetTags_*_*",
        "keep *_ak8PFJetsPuppi_*_*",
    ),
)
process.end = cms.EndPath(process.out)
