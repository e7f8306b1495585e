#include "EventReader.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "Calibration/IsolatedParticles/interface/CaloPropagateTrack.h"
#include "DataFormats/DetId/interface/DetId.h"
#include "DataFormats/EcalDetId/interface/EBDetId.h"
#include "DataFormats/GeometryVector/interface/GlobalPoint.h"
#include "DataFormats/TrackReco/interface/Track.h"
#include "EndcapRows.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "ReadingSettings.h"
#include "e2egraph/channels.h"
#include "e2egraph/cms_indices.h"
#include "e2egraph/geometry.h"

namespace e2egraph::cmssw {

namespace {

// MLAnalyzer's selection of tracks: pT [GeV] above, |eta| at the ECAL up to.
constexpr double track_pt_min = 0.5, track_abs_eta_max = 3.0;

// HBHE: the last |ieta| with 72 towers in phi, and the last row of the image, which takes |ieta| 29 too.
constexpr int last_fine_ieta = 20, last_ieta = 28;

// CMS's subdetectors: BPIX and FPIX, then TIB, TID, TOB and TEC.
constexpr int first_pixel = 1, last_pixel = 2, first_strip = 3, last_strip = 6;

bool lies_in(const InputChannel& row, int first, int last) {
  return row.cms && row.cms->subdetector >= first && row.cms->subdetector <= last;
}

// Whether a deposit of this energy [GeV] is one. One that is NaN or infinite would end up in sums: it is left out.
bool is_deposit(float energy, std::size_t& not_finite) {
  if (!std::isfinite(energy))
    ++not_finite;
  return std::isfinite(energy) && energy > 0;
}

template <typename... Values>
bool all_finite(Values... values) {
  return (std::isfinite(values) && ...);
}

}  // namespace

EventReader::EventReader(const edm::ParameterSet& config, const Metadata& metadata, edm::ConsumesCollector& collector)
    : nodes_(metadata.nodes),
      wants_pixels_(wants_hits(first_pixel, last_pixel)),
      wants_strips_(wants_hits(first_strip, last_strip)) {
  const NodeDefinition& nodes = nodes_;
  seed_depth_ = depth_of(config, metadata.reading);
  if (nodes.wanted(Collection::tracks))
    track_direction_ = direction_of(config, metadata.reading);
  for (const InputChannel& row : nodes.channels.rows())
    if (row.collection == Collection::hits && nodes.selection.wants(row.channel) &&
        !lies_in(row, first_pixel, last_strip))
      throw cms::Exception("Configuration") << "The bundle reads hits of channel " << row.name
                                            << ", but its 'cms' names no subdetector (1 to 6) and layer of the "
                                               "tracker; give the channel these and export again.";
  const auto tag = [&](const char* name) { return config.getParameter<edm::InputTag>(name); };
  const auto tags = [&](const char* name) { return config.getParameter<std::vector<edm::InputTag>>(name); };
  vertices_ = collector.consumes<reco::VertexCollection>(tag("vertices"));
  hbhe_hits_ = collector.consumes<HBHERecHitCollection>(tag("hbheHits"));
  if (nodes.wanted(Collection::tracks)) {
    tracks_ = collector.consumes<reco::TrackCollection>(tag("tracks"));
    field_ = collector.esConsumes<MagneticField, IdealMagneticFieldRecord>();
  }
  if (wants_pixels_)
    pixel_hits_ = collector.consumes<SiPixelRecHitCollection>(tag("pixelHits"));
  if (wants_strips_) {
    for (const edm::InputTag& source : tags("stripHits"))
      strip_hits_.push_back(collector.consumes<SiStripRecHit2DCollection>(source));
    for (const edm::InputTag& source : tags("matchedStripHits"))
      matched_strip_hits_.push_back(collector.consumes<SiStripMatchedRecHit2DCollection>(source));
    if (strip_hits_.empty() && matched_strip_hits_.empty())
      throw cms::Exception("Configuration")
          << "The bundle reads hits of strip layers, but stripHits and matchedStripHits are empty.";
  }
  if (wants_pixels_ || wants_strips_) {
    tracker_ = collector.esConsumes<TrackerGeometry, TrackerDigiGeometryRecord>();
    topology_ = collector.esConsumes<TrackerTopology, TrackerTopologyRcd>();
  }
  if (nodes.wanted(Collection::ecal)) {
    eb_hits_ = collector.consumes<EcalRecHitCollection>(tag("ebHits"));
    ee_hits_ = collector.consumes<EcalRecHitCollection>(tag("eeHits"));
    calorimeters_ = collector.esConsumes<CaloGeometry, CaloGeometryRecord>();
  }
}

void EventReader::describe(edm::ParameterSetDescription& description) {
  const auto strips = [](const char* instance) { return edm::InputTag("siStripMatchedRecHits", instance); };
  description.add<edm::InputTag>("vertices", edm::InputTag("offlinePrimaryVertices"));
  description.add<edm::InputTag>("tracks", edm::InputTag("generalTracks"));
  description.add<edm::InputTag>("pixelHits", edm::InputTag("siPixelRecHits"));
  description.add<std::vector<edm::InputTag>>("stripHits", {strips("rphiRecHit"), strips("stereoRecHit")});
  // A hit of a stereo module would count again: MLAnalyzer's loop over matched hits is commented out.
  description.add<std::vector<edm::InputTag>>("matchedStripHits", std::vector<edm::InputTag>());
  description.add<edm::InputTag>("ebHits", edm::InputTag("reducedEcalRecHitsEB"));
  description.add<edm::InputTag>("eeHits", edm::InputTag("reducedEcalRecHitsEE"));
  description.add<edm::InputTag>("hbheHits", edm::InputTag("hbhereco"));
  description.add<std::string>("trackDirection", "")
      ->setComment("eta and phi of a track: ecal_point, ecal_momentum (MLAnalyzer) or vertex; empty: as the bundle says");
  description.add<int>("seedDepth", as_bundle)
      ->setComment("HBHE depth whose hits compete for a jet's seed (MLAnalyzer: 1), 0: towers summed over depths; -1: as "
                   "the bundle says");
}

Deposits EventReader::read(const edm::Event& event, const edm::EventSetup& setup) const {
  const reco::VertexCollection& vertices = event.get(vertices_);
  // A default vertex is the origin, without uncertainty.
  const reco::Vertex pv = vertices.empty() ? reco::Vertex() : vertices.front();
  Deposits deposits{Event(), TowerImage(Event()), 0};
  Event& result = deposits.event;
  result.run = event.id().run();
  result.lumi = event.id().luminosityBlock();
  result.event = event.id().event();
  result.n_pv = static_cast<std::uint32_t>(vertices.size());
  if (nodes_.wanted(Collection::tracks))
    read_tracks(event, setup, pv, deposits);
  if (wants_pixels_ || wants_strips_)
    read_hits(event, setup, pv, deposits);
  if (nodes_.wanted(Collection::ecal))
    read_crystals(event, setup, deposits);
  Cells all, seeds;
  for (const HBHERecHit& hit : event.get(hbhe_hits_)) {
    if (!is_deposit(hit.energy(), deposits.not_finite))
      continue;
    add_tower(hit.id(), hit.energy(), all);
    if (seed_depth_ == 0 || hit.id().depth() == seed_depth_)
      add_tower(hit.id(), hit.energy(), seeds);
  }
  result.hcal = towers(all, deposits.not_finite);
  Event seed_event;
  seed_event.run = result.run;
  seed_event.lumi = result.lumi;
  seed_event.event = result.event;
  // Of the same hits: what was left out of them has been counted.
  std::size_t again = 0;
  seed_event.hcal = towers(seeds, again);
  deposits.seed_towers = TowerImage(seed_event);
  return deposits;
}

void EventReader::read_tracks(const edm::Event& event, const edm::EventSetup& setup, const reco::Vertex& pv,
                              Deposits& deposits) const {
  const MagneticField& field = setup.getData(field_);
  for (const reco::Track& track : event.get(tracks_)) {
    if (!all_finite(track.pt(), track.eta(), track.phi())) {
      ++deposits.not_finite;
      continue;
    }
    if (track.pt() <= track_pt_min || track.charge() == 0 || !track.quality(reco::TrackBase::highPurity))
      continue;
    Track result;
    result.eta = static_cast<float>(track.eta());
    result.phi = static_cast<float>(track.phi());
    if (track_direction_ != TrackDirection::vertex) {
      const spr::propagatedTrack ecal = spr::propagateTrackToECAL(&track, &field);
      if (!ecal.ok)
        continue;
      const bool momentum = track_direction_ == TrackDirection::ecal_momentum;
      result.eta = static_cast<float>(momentum ? ecal.direction.eta() : ecal.point.eta());
      result.phi = momentum ? static_cast<float>(ecal.direction.phi()) : static_cast<float>(ecal.point.phi());
    }
    if (std::abs(result.eta) > track_abs_eta_max)
      continue;
    result.pt = static_cast<float>(track.pt());
    result.charge = static_cast<float>(track.charge());
    result.d0 = static_cast<float>(-track.dxy(pv.position()));
    result.dz = static_cast<float>(track.dz(pv.position()));
    // The vertex's errors add in quadrature.
    result.d0_sig =
        significance(result.d0, static_cast<float>(std::hypot(track.dxyError(), pv.xError(), pv.yError())));
    result.dz_sig = significance(result.dz, static_cast<float>(std::hypot(track.dzError(), pv.zError())));
    if (all_finite(result.pt, result.eta, result.phi, result.d0, result.dz, result.d0_sig, result.dz_sig))
      deposits.event.tracks.push_back(result);
    else
      ++deposits.not_finite;
  }
}

void EventReader::read_hits(const edm::Event& event, const edm::EventSetup& setup, const reco::Vertex& pv,
                            Deposits& deposits) const {
  const TrackerGeometry& geometry = setup.getData(tracker_);
  const TrackerTopology& topology = setup.getData(topology_);
  if (wants_pixels_)
    add_hits(event.get(pixel_hits_), geometry, topology, pv, deposits);
  for (const auto& token : strip_hits_)
    add_hits(event.get(token), geometry, topology, pv, deposits);
  for (const auto& token : matched_strip_hits_)
    add_hits(event.get(token), geometry, topology, pv, deposits);
}

template <typename Collection>
void EventReader::add_hits(const Collection& collection, const TrackerGeometry& geometry,
                           const TrackerTopology& topology, const reco::Vertex& pv, Deposits& deposits) const {
  for (const auto& in_module : collection) {
    const DetId id(in_module.detId());
    const auto channel = nodes_.channels.hit_channel_of(id.subdetId(), static_cast<int>(topology.layer(id)));
    if (!channel || !nodes_.selection.wants(*channel))
      continue;
    const auto* detector = geometry.idToDet(id);
    if (detector == nullptr)
      throw cms::Exception("E2EGraph") << "The tracker geometry has no module " << id.rawId()
                                       << ", which hits lie on; use the global tag that the event was made with.";
    for (const auto& hit : in_module) {
      if (!hit.isValid())
        continue;
      const GlobalPoint point = detector->surface().toGlobal(hit.localPosition());
      const Hit made{*channel, static_cast<float>(point.x() - pv.x()), static_cast<float>(point.y() - pv.y()),
                     static_cast<float>(point.z() - pv.z())};
      if (all_finite(made.x, made.y, made.z))
        deposits.event.hits.push_back(made);
      else
        ++deposits.not_finite;
    }
  }
}

void EventReader::read_crystals(const edm::Event& event, const edm::EventSetup& setup,
                                Deposits& deposits) const {
  std::vector<Crystal>& crystals = deposits.event.ecal;
  for (const EcalRecHit& hit : event.get(eb_hits_)) {
    if (!is_deposit(hit.energy(), deposits.not_finite))
      continue;
    const EBDetId id(hit.id());
    const bool timed = std::isfinite(hit.time());
    deposits.not_finite += timed ? 0 : 1;
    crystals.push_back({crystal_row(id.ieta()), crystal_column(id.iphi()), hit.energy(), timed ? hit.time() : 0.0F});
  }
  const CaloGeometry& geometry = setup.getData(calorimeters_);
  Cells endcaps;
  for (const EcalRecHit& hit : event.get(ee_hits_)) {
    if (!is_deposit(hit.energy(), deposits.not_finite))
      continue;
    const GlobalPoint position = geometry.getPosition(hit.id());
    if (const std::optional<int> row = endcap_row(position.eta()))
      endcaps[{*row, ecal_column(static_cast<float>(position.phi()))}] += hit.energy();
  }
  // The ntuples time the barrel alone.
  for (const auto& [cell, energy] : endcaps)
    if (is_deposit(static_cast<float>(energy), deposits.not_finite))
      crystals.push_back({cell.first, cell.second, static_cast<float>(energy), 0.0F});
}

bool EventReader::wants_hits(int first, int last) const {
  for (const InputChannel& row : nodes_.channels.rows())
    if (row.collection == Collection::hits && nodes_.selection.wants(row.channel) && lies_in(row, first, last))
      return true;
  return false;
}

void EventReader::add_tower(const HcalDetId& id, double energy, Cells& cells) {
  const int row = tower_row(id.zside() * std::min(id.ietaAbs(), last_ieta));
  const int column = tower_column(id.iphi());
  if (id.ietaAbs() <= last_fine_ieta) {
    cells[{row, column}] += energy;
    return;
  }
  // Towers twice as wide in phi share their energy between two columns.
  cells[{row, column}] += energy / 2;
  cells[{row, (column + 1) % hcal_columns}] += energy / 2;
}

std::vector<Tower> EventReader::towers(const Cells& cells, std::size_t& not_finite) {
  std::vector<Tower> result;
  for (const auto& [cell, energy] : cells)
    if (is_deposit(static_cast<float>(energy), not_finite))
      result.push_back({cell.first, cell.second, static_cast<float>(energy)});
  return result;
}

}  // namespace e2egraph::cmssw
