// Deposits around a jet's seed -> nodes: the region, what each node carries, canonical order and caps.
//
// Mirrors e2egraph/graphs/making/nodes.py: the same nodes, bit for bit.
#ifndef E2EGRAPH_NODES_H
#define E2EGRAPH_NODES_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "e2egraph/channels.h"
#include "e2egraph/error.h"
#include "e2egraph/events.h"
#include "e2egraph/geometry.h"
#include "e2egraph/node.h"
#include "e2egraph/region.h"
#include "e2egraph/seed.h"
#include "e2egraph/selection.h"

namespace e2egraph {

// arXiv:2104.14659, section 3: displacements beyond these [cm] are not lifetimes and are set to zero.
inline constexpr float d0_limit = 10.0F, dz_limit = 20.0F;

// Where a deposit lies: row and column in crystals, and for tracks and hits its direction and radius [cm].
struct Place {
  int row = 0, column = 0;
  double eta = 0, phi = 0, rho = 0;
};

// Places of all deposits of an event, worked out once for all its jets. Refers to the event, which must outlive it.
class PlacedEvent {
public:
  // Only the collections that `definition` wants channels of are looked at. InputError: values that are not finite, a
  // crystal or tower outside the image.
  PlacedEvent(const Event& event, const NodeDefinition& definition) : event_(&event) {
    if (definition.wanted(Collection::tracks))
      place_tracks();
    if (definition.wants_hits())
      place_hits();
    if (definition.wanted(Collection::ecal))
      place_crystals();
    if (definition.wanted(Collection::hcal))
      place_towers();
  }

  const Event& event() const { return *event_; }
  const std::vector<Place>& tracks() const { return tracks_; }
  const std::vector<Place>& hits() const { return hits_; }
  const std::vector<Place>& ecal() const { return ecal_; }
  const std::vector<Place>& hcal() const { return hcal_; }

private:
  template <typename... Values>
  void check_finite(const char* what, Values... values) const {
    if (!(std::isfinite(values) && ...))
      throw InputError("event " + name_of(*event_) + ": " + what + " hold NaN or infinite values; make it again.");
  }

  void place_tracks() {
    tracks_.reserve(event_->tracks.size());
    for (const Track& t : event_->tracks) {
      check_finite("its tracks", t.pt, t.eta, t.phi, t.d0, t.dz, t.d0_sig, t.dz_sig, t.charge);
      const auto eta = static_cast<double>(t.eta), phi = static_cast<double>(t.phi);
      tracks_.push_back({ecal_row(eta), ecal_column(phi), eta, phi, 0.0});
    }
  }

  void place_hits() {
    hits_.reserve(event_->hits.size());
    for (const Hit& hit : event_->hits) {
      check_finite("its hits", hit.x, hit.y, hit.z);
      const auto x = static_cast<double>(hit.x), y = static_cast<double>(hit.y);
      const double rho = std::hypot(x, y);
      // A hit on the beam line has no direction; the smallest radius keeps eta finite, and it falls outside the region.
      const double eta = std::asinh(static_cast<double>(hit.z) / std::max(rho, 1e-9));
      const double phi = std::atan2(y, x);
      hits_.push_back({ecal_row(eta), ecal_column(phi), eta, phi, rho});
    }
  }

  void place_crystals() {
    ecal_.reserve(event_->ecal.size());
    for (const Crystal& crystal : event_->ecal) {
      if (crystal.ieta < 0 || crystal.ieta >= ecal_rows || crystal.iphi < 0 || crystal.iphi >= ecal_columns)
        throw InputError("event " + name_of(*event_) +
                         ": a crystal lies outside rows 0–279 and columns 0–359; make it again.");
      check_finite("its crystals", crystal.energy, crystal.time);
      ecal_.push_back({crystal.ieta, crystal.iphi, 0.0, 0.0, 0.0});
    }
  }

  void place_towers() {
    hcal_.reserve(event_->hcal.size());
    for (const Tower& tower : event_->hcal) {
      TowerImage::check(*event_, tower);
      hcal_.push_back({centre_crystal(tower.ieta), centre_crystal(tower.iphi), 0.0, 0.0, 0.0});
    }
  }

  const Event* event_;
  std::vector<Place> tracks_, hits_, ecal_, hcal_;
};

// Nodes of one jet in canonical order, and how many more the caps removed.
struct JetNodes {
  std::vector<Node> nodes;
  std::size_t cut = 0;
};

namespace detail {

class NodeMaker {
public:
  NodeMaker(const Seed& seed, const NodeDefinition& definition)
      : centre_(centre_of(seed)), definition_(definition), half_rows_(definition.region.half_rows()),
        half_columns_(definition.region.periodic ? ecal_columns : definition.region.half_columns()) {}

  // Takes the deposits at `places` that lie in the region. `make(node, i)` fills in channel and variables of one;
  // `at_pixel_centre`: their direction is that of their crystal.
  template <typename Make>
  void add(Collection collection, const std::vector<Place>& places, bool at_pixel_centre, const Make& make) {
    const NodeSelection& selection = definition_.selection;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const Place& place = places[i];
      const int row = place.row - centre_.row, column = turned(place.column - centre_.column);
      if (std::abs(row) > half_rows_ || std::abs(column) > half_columns_)
        continue;
      Node node;
      node.collection = collection;
      node.index = static_cast<std::uint32_t>(i);
      make(node, i);
      if (!selection.wants(node.channel) || !selection.above_threshold(node))
        continue;
      locate(node, place, row, column, at_pixel_centre);
      if (!selection.near_centre(node))
        continue;
      suppress(node);
      nodes_.push_back(node);
    }
  }

  JetNodes finish() {
    sort_canonically(nodes_);
    const std::size_t cut = definition_.selection.cut_to_caps(nodes_);
    return {std::move(nodes_), cut};
  }

private:
  // A difference of two columns into [-180, 180).
  static int turned(int columns) {
    constexpr int half_turn = ecal_columns / 2;
    return columns >= half_turn ? columns - ecal_columns : columns < -half_turn ? columns + ecal_columns : columns;
  }

  void locate(Node& node, const Place& place, int row, int column, bool at_pixel_centre) const {
    const Region& region = definition_.region;
    const double deta = at_pixel_centre ? row * region.eta_pitch : place.eta - centre_.eta;
    const double dphi = at_pixel_centre ? column * region.phi_pitch : delta_phi(place.phi, centre_.phi);
    node.deta = region.lattice ? inside_pixel(deta, row, region.eta_pitch) : static_cast<float>(deta);
    node.dphi = region.lattice ? inside_pixel(dphi, column, region.phi_pitch) : static_cast<float>(dphi);
  }

  void suppress(Node& node) const {
    if (definition_.suppress_d0 && std::abs(node.d0) > d0_limit)
      node.d0 = node.d0_sig = 0.0F;
    if (definition_.suppress_dz && std::abs(node.dz) > dz_limit)
      node.dz = node.dz_sig = 0.0F;
  }

  RegionCentre centre_;
  const NodeDefinition& definition_;
  int half_rows_, half_columns_;
  std::vector<Node> nodes_;
};

}  // namespace detail

// Nodes of the jet with this seed. `placed` must have been made with the same definition.
inline JetNodes make_nodes(const PlacedEvent& placed, const Seed& seed, const NodeDefinition& definition) {
  const Event& event = placed.event();
  detail::NodeMaker maker(seed, definition);
  if (const auto channel = definition.wanted(Collection::tracks))
    maker.add(Collection::tracks, placed.tracks(), false, [&](Node& node, std::size_t i) {
      const Track& track = event.tracks[i];
      node.channel = *channel;
      node.rho = ecal_radius;
      node.value = track.pt;
      node.d0 = track.d0;
      node.dz = track.dz;
      node.d0_sig = track.d0_sig;
      node.dz_sig = track.dz_sig;
      node.charge = track.charge;
    });
  maker.add(Collection::hits, placed.hits(), false, [&](Node& node, std::size_t i) {
    node.channel = event.hits[i].channel;
    node.rho = static_cast<float>(placed.hits()[i].rho);
    node.value = 1.0F;
  });
  if (const auto channel = definition.wanted(Collection::ecal))
    maker.add(Collection::ecal, placed.ecal(), true, [&](Node& node, std::size_t i) {
      node.channel = *channel;
      node.rho = ecal_radius;
      node.value = event.ecal[i].energy;
      node.time = event.ecal[i].time;
    });
  if (const auto channel = definition.wanted(Collection::hcal))
    maker.add(Collection::hcal, placed.hcal(), true, [&](Node& node, std::size_t i) {
      node.channel = *channel;
      node.rho = hcal_radius;
      node.value = event.hcal[i].energy;
    });
  return maker.finish();
}

}  // namespace e2egraph

#endif
