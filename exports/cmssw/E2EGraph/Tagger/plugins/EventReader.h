// CMSSW's collections -> the structures that e2egraph reads, as the ntuples of MLAnalyzer hold them.
#ifndef E2EGraph_Tagger_EventReader_h
#define E2EGraph_Tagger_EventReader_h

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "DataFormats/EcalRecHit/interface/EcalRecHitCollections.h"
#include "DataFormats/HcalDetId/interface/HcalDetId.h"
#include "DataFormats/HcalRecHit/interface/HcalRecHitCollections.h"
#include "DataFormats/TrackReco/interface/TrackFwd.h"
#include "DataFormats/TrackerCommon/interface/TrackerTopology.h"
#include "DataFormats/TrackerRecHit2D/interface/SiPixelRecHitCollection.h"
#include "DataFormats/TrackerRecHit2D/interface/SiStripMatchedRecHit2DCollection.h"
#include "DataFormats/TrackerRecHit2D/interface/SiStripRecHit2DCollection.h"
#include "DataFormats/VertexReco/interface/Vertex.h"
#include "DataFormats/VertexReco/interface/VertexFwd.h"
#include "FWCore/Framework/interface/ConsumesCollector.h"
#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/ESGetToken.h"
#include "Geometry/CaloGeometry/interface/CaloGeometry.h"
#include "Geometry/Records/interface/CaloGeometryRecord.h"
#include "Geometry/Records/interface/TrackerDigiGeometryRecord.h"
#include "Geometry/Records/interface/TrackerTopologyRcd.h"
#include "Geometry/TrackerGeometryBuilder/interface/TrackerGeometry.h"
#include "MagneticField/Engine/interface/MagneticField.h"
#include "MagneticField/Records/interface/IdealMagneticFieldRecord.h"
#include "e2egraph/events.h"
#include "e2egraph/metadata.h"
#include "e2egraph/reading.h"
#include "e2egraph/seed.h"
#include "e2egraph/selection.h"

namespace e2egraph::cmssw {

// What is in an event, without its jets; and the towers that a jet's seed is sought among. not_finite: deposits that
// held NaN or infinite values and were left out, or whose time alone did and was set to 0.
struct Deposits {
  Event event;
  TowerImage seed_towers;
  std::size_t not_finite = 0;
};

// Consumes the collections that the channels of the bundle need, and the HBHE hits, which seeds need in any case.
class EventReader {
public:
  // cms::Exception: a setting contradicts the bundle, or is needed where that does not say it.
  EventReader(const edm::ParameterSet& config, const Metadata& metadata, edm::ConsumesCollector& collector);

  static void describe(edm::ParameterSetDescription& description);

  Deposits read(const edm::Event& event, const edm::EventSetup& setup) const;

private:
  // (row, column) -> energy [GeV] summed in a cell of an image.
  using Cells = std::map<std::pair<int, int>, double>;

  void read_tracks(const edm::Event& event, const edm::EventSetup& setup, const reco::Vertex& pv,
                   Deposits& deposits) const;
  void read_hits(const edm::Event& event, const edm::EventSetup& setup, const reco::Vertex& pv,
                 Deposits& deposits) const;
  void read_crystals(const edm::Event& event, const edm::EventSetup& setup, Deposits& deposits) const;
  template <typename Collection>
  void add_hits(const Collection& collection, const TrackerGeometry& geometry, const TrackerTopology& topology,
                const reco::Vertex& pv, Deposits& deposits) const;
  // Whether a channel of hits is wanted whose subdetector is `first` … `last`.
  bool wants_hits(int first, int last) const;
  static void add_tower(const HcalDetId& id, double energy, Cells& cells);
  static std::vector<Tower> towers(const Cells& cells, std::size_t& not_finite);

  NodeDefinition nodes_;
  bool wants_pixels_, wants_strips_;
  TrackDirection track_direction_ = TrackDirection::ecal_point;
  int seed_depth_ = 0;
  edm::EDGetTokenT<reco::VertexCollection> vertices_;
  edm::EDGetTokenT<reco::TrackCollection> tracks_;
  edm::EDGetTokenT<SiPixelRecHitCollection> pixel_hits_;
  std::vector<edm::EDGetTokenT<SiStripRecHit2DCollection>> strip_hits_;
  std::vector<edm::EDGetTokenT<SiStripMatchedRecHit2DCollection>> matched_strip_hits_;
  edm::EDGetTokenT<EcalRecHitCollection> eb_hits_, ee_hits_;
  edm::EDGetTokenT<HBHERecHitCollection> hbhe_hits_;
  edm::ESGetToken<MagneticField, IdealMagneticFieldRecord> field_;
  edm::ESGetToken<TrackerGeometry, TrackerDigiGeometryRecord> tracker_;
  edm::ESGetToken<TrackerTopology, TrackerTopologyRcd> topology_;
  edm::ESGetToken<CaloGeometry, CaloGeometryRecord> calorimeters_;
};

}  // namespace e2egraph::cmssw

#endif
