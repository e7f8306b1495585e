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

// Hits nearer to the beam line [cm] count as if they were so far from it.
inline constexpr double smallest_radius = 1e-9;

// Where a deposit lies: row and column in crystals, and for tracks and hits its direction and radius [cm].
struct Place {
  int row = 0, column = 0;
  double eta = 0, phi = 0, rho = 0;
};

inline Place place_of(const Hit& hit) {
  const auto x = static_cast<double>(hit.x), y = static_cast<double>(hit.y);
  const double rho = std::hypot(x, y);
  // A hit on the beam line has no direction; the smallest radius keeps eta finite, and it falls outside the region.
  const double eta = std::asinh(static_cast<double>(hit.z) / std::max(rho, smallest_radius));
  const double phi = std::atan2(y, x);
  return {ecal_row(eta), ecal_column(phi), eta, phi, rho};
}

// An event whose deposits have been looked at: what holds for all its jets. Refers to it; it must outlive this.
class PlacedEvent {
public:
  // Only the collections that `definition` wants channels of are looked at. InputError: values that are not finite, a
  // crystal or tower outside the image.
  PlacedEvent(const Event& event, const NodeDefinition& definition) : event_(&event) {
    if (definition.wanted(Collection::tracks))
      place_tracks();
    if (definition.wants_hits())
      for (const Hit& hit : event.hits)
        check_finite("its hits", hit.x, hit.y, hit.z);
    if (definition.wanted(Collection::ecal))
      check_crystals();
    if (definition.wanted(Collection::hcal))
      for (const Tower& tower : event.hcal)
        TowerImage::check(event, tower);
  }

  const Event& event() const { return *event_; }
  const std::vector<Place>& tracks() const { return tracks_; }

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

  void check_crystals() const {
    for (const Crystal& crystal : event_->ecal) {
      if (crystal.ieta < 0 || crystal.ieta >= ecal_rows || crystal.iphi < 0 || crystal.iphi >= ecal_columns)
        throw InputError("event " + name_of(*event_) +
                         ": a crystal lies outside rows 0–279 and columns 0–359; make it again.");
      check_finite("its crystals", crystal.energy, crystal.time);
    }
  }

  const Event* event_;
  std::vector<Place> tracks_;
};

// Nodes of one jet in canonical order, and how many more the caps removed.
struct JetNodes {
  std::vector<Node> nodes;
  std::size_t cut = 0;
};

namespace detail {

// A look at where a hit lies, without any of the functions that its exact place needs: most hits are far from the jet.
class NearRegion {
public:
  NearRegion(const RegionCentre& centre, int half_rows, int half_columns)
      : cos_(std::cos(centre.phi)), sin_(std::sin(centre.phi)) {
    // Hits of the region lie within half a crystal less than this: thousands of roundings of what is compared below.
    const double deta = (half_rows + 1) * eta_pitch, dphi = (half_columns + 1) * phi_pitch;
    lowest_ = std::sinh(centre.eta - deta);
    highest_ = std::sinh(centre.eta + deta);
    all_phi_ = dphi >= pi / 2.0;
    least_ = all_phi_ ? 0.0 : std::cos(dphi) * std::cos(dphi);
  }

  // False only for hits outside the region.
  bool holds(const Hit& hit) const {
    const auto x = static_cast<double>(hit.x), y = static_cast<double>(hit.y), z = static_cast<double>(hit.z);
    const double along = x * cos_ + y * sin_, squared = x * x + y * y;
    if (!all_phi_ && (along < 0.0 || along * along < squared * least_))
      return false;
    const double rho = std::max(std::sqrt(squared), smallest_radius);
    return z >= rho * lowest_ && z <= rho * highest_;
  }

private:
  double cos_, sin_, lowest_ = 0, highest_ = 0, least_ = 0;
  bool all_phi_ = false;
};

class NodeMaker {
public:
  NodeMaker(const Seed& seed, const NodeDefinition& definition)
      : centre_(centre_of(seed)), definition_(definition), half_rows_(definition.region.half_rows()),
        half_columns_(definition.region.periodic ? ecal_columns : definition.region.half_columns()),
        half_eta_(definition.region.half_eta()) {}

  NearRegion near_region() const { return {centre_, half_rows_, half_columns_}; }

  // Takes a deposit at `place` if it lies in the region; `make(node)` fills in channel and variables.
  // `at_pixel_centre`: its direction is that of its crystal.
  template <typename Make>
  void add(Collection collection, std::size_t index, const Place& place, bool at_pixel_centre, const Make& make) {
    const NodeSelection& selection = definition_.selection;
    const int row = place.row - centre_.row, column = turned(place.column - centre_.column);
    if (definition_.region.whole ? !inside(collection, place, at_pixel_centre)
                                 : std::abs(row) > half_rows_ || std::abs(column) > half_columns_)
      return;
    Node node;
    node.collection = collection;
    node.index = static_cast<std::uint32_t>(index);
    make(node);
    if (!selection.wants(node.channel) || !selection.above_threshold(node))
      return;
    locate(node, place, row, column, at_pixel_centre);
    if (!selection.near_centre(node))
      return;
    suppress(node);
    nodes_.push_back(node);
  }

  JetNodes finish() {
    JetNodes made{sorted_canonically(nodes_)};
    made.cut = definition_.selection.cut_to_caps(made.nodes);
    return made;
  }

private:
  // A difference of two columns into [-180, 180).
  static int turned(int columns) {
    constexpr int half_turn = ecal_columns / 2;
    return columns >= half_turn ? columns - ecal_columns : columns < -half_turn ? columns + ecal_columns : columns;
  }

  // Of the whole detector. Python has the eta of tracks, and so what it is compared with, as float32.
  bool inside(Collection collection, const Place& place, bool at_pixel_centre) const {
    const double limit = collection == Collection::tracks ? static_cast<float>(half_eta_) : half_eta_;
    return std::abs(at_pixel_centre ? ecal_eta(place.row) : place.eta) < limit;
  }

  void locate(Node& node, const Place& place, int row, int column, bool at_pixel_centre) const {
    const Region& region = definition_.region;
    if (region.whole) {
      node.deta =
          static_cast<float>(at_pixel_centre ? ecal_eta(place.row) : inside_crystal_row(place.eta, place.row));
      node.dphi = static_cast<float>(at_pixel_centre ? ecal_phi(place.column) : between_phi_steps(place.phi));
      return;
    }
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
  double half_eta_;
  std::vector<Node> nodes_;
};

}  // namespace detail

// Nodes of the jet with this seed, which means nothing for the whole detector. `placed` must have been made with the same definition.
inline JetNodes make_nodes(const PlacedEvent& placed, const Seed& seed, const NodeDefinition& definition) {
  const Event& event = placed.event();
  detail::NodeMaker maker(seed, definition);
  if (const auto channel = definition.wanted(Collection::tracks))
    for (std::size_t i = 0; i < event.tracks.size(); ++i)
      maker.add(Collection::tracks, i, placed.tracks()[i], false, [&](Node& node) {
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
  const detail::NearRegion near = maker.near_region();
  const std::size_t hits = definition.wants_hits() ? event.hits.size() : 0;
  for (std::size_t i = 0; i < hits; ++i) {
    const Hit& hit = event.hits[i];
    if (!definition.selection.wants(hit.channel) || !(definition.region.whole || near.holds(hit)))
      continue;
    const Place place = place_of(hit);
    maker.add(Collection::hits, i, place, false, [&](Node& node) {
      node.channel = hit.channel;
      node.rho = static_cast<float>(place.rho);
      node.value = 1.0F;
    });
  }
  if (const auto channel = definition.wanted(Collection::ecal))
    for (std::size_t i = 0; i < event.ecal.size(); ++i) {
      const Crystal& crystal = event.ecal[i];
      maker.add(Collection::ecal, i, {crystal.ieta, crystal.iphi}, true, [&](Node& node) {
        node.channel = *channel;
        node.rho = ecal_radius;
        node.value = crystal.energy;
        node.time = crystal.time;
      });
    }
  if (const auto channel = definition.wanted(Collection::hcal))
    for (std::size_t i = 0; i < event.hcal.size(); ++i) {
      const Tower& tower = event.hcal[i];
      const Place place{centre_crystal(tower.ieta), centre_crystal(tower.iphi)};
      maker.add(Collection::hcal, i, place, true, [&](Node& node) {
        node.channel = *channel;
        node.rho = hcal_radius;
        node.value = tower.energy;
      });
    }
  return maker.finish();
}

}  // namespace e2egraph

#endif
