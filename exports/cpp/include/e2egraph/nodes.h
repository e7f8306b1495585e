// Deposits around a jet's seed -> nodes: the window, what each node carries, canonical order and cap.
//
// Mirrors e2egraph/graphs/nodes.py: the same nodes, bit for bit.
#ifndef E2EGRAPH_NODES_H
#define E2EGRAPH_NODES_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/events.h"
#include "e2egraph/geometry.h"
#include "e2egraph/node.h"
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
  // Only the collections that `selection` wants channels of are looked at. InputError: values that are not finite, a
  // crystal or tower outside the image.
  PlacedEvent(const Event& event, const NodeSelection& selection) : event_(&event) {
    if (selection.wants(Channel::TRACK))
      place_tracks();
    for (std::size_t i = number(Channel::BPIX1); i <= number(Channel::TOB2); ++i)
      if (selection.channels[i] && hits_.empty())
        place_hits();
    if (selection.wants(Channel::ECAL))
      place_crystals();
    if (selection.wants(Channel::HCAL))
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
      // A hit on the beam line has no direction; the smallest radius keeps eta finite, and it falls outside the window.
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

// Nodes of one jet in canonical order, and how many more the cap removed.
struct JetNodes {
  std::vector<Node> nodes;
  std::size_t cut = 0;
};

namespace detail {

class NodeMaker {
public:
  NodeMaker(const Seed& seed, const NodeDefinition& definition)
      : row_(centre_crystal(seed.ieta)), column_(centre_crystal(seed.iphi)), definition_(definition) {}

  // Takes the deposit at `place` if it is in the window; `node` has everything but its coordinates.
  void add(const Place& place, Node node, bool at_pixel_centre) {
    if (!definition_.selection.wants(node.channel))
      return;
    const int row = place.row - row_;
    const int column =
        static_cast<int>(modulo(place.column - column_ + ecal_columns / 2, ecal_columns)) - ecal_columns / 2;
    if (std::abs(row) > window_half_width || std::abs(column) > window_half_width)
      return;
    if (!definition_.selection.above_threshold(node))
      return;
    const double deta = at_pixel_centre ? row * eta_pitch : place.eta - ecal_eta(row_);
    const double dphi = at_pixel_centre ? column * phi_pitch : delta_phi(place.phi, ecal_phi(column_));
    node.deta = inside_pixel(deta, row, eta_pitch);
    node.dphi = inside_pixel(dphi, column, phi_pitch);
    if (!definition_.selection.near_centre(node))
      return;
    if (definition_.suppress_displaced)
      suppress(node);
    nodes_.push_back(node);
  }

  JetNodes finish() {
    sort_canonically(nodes_);
    JetNodes result{std::move(nodes_), 0};
    if (result.nodes.size() > definition_.cap) {
      result.cut = result.nodes.size() - definition_.cap;
      result.nodes.resize(definition_.cap);
    }
    return result;
  }

private:
  static void suppress(Node& node) {
    if (std::abs(node.d0) > d0_limit)
      node.d0 = node.d0_sig = 0.0F;
    if (std::abs(node.dz) > dz_limit)
      node.dz = node.dz_sig = 0.0F;
  }

  int row_, column_;
  const NodeDefinition& definition_;
  std::vector<Node> nodes_;
};

}  // namespace detail

// Nodes of the jet with this seed. `placed` must have been made with the definition's selection.
inline JetNodes make_nodes(const PlacedEvent& placed, const Seed& seed, const NodeDefinition& definition) {
  const Event& event = placed.event();
  detail::NodeMaker maker(seed, definition);
  for (std::size_t i = 0; i < placed.tracks().size(); ++i) {
    const Track& t = event.tracks[i];
    maker.add(placed.tracks()[i],
              {Channel::TRACK, 0, 0, ecal_radius, t.pt, t.d0, t.dz, t.d0_sig, t.dz_sig, t.charge, 0},
              false);
  }
  for (std::size_t i = 0; i < placed.hits().size(); ++i) {
    const Place& place = placed.hits()[i];
    maker.add(place, {event.hits[i].channel, 0, 0, static_cast<float>(place.rho), 1.0F, 0, 0, 0, 0, 0, 0}, false);
  }
  for (std::size_t i = 0; i < placed.ecal().size(); ++i) {
    const Crystal& c = event.ecal[i];
    maker.add(placed.ecal()[i], {Channel::ECAL, 0, 0, ecal_radius, c.energy, 0, 0, 0, 0, 0, c.time}, true);
  }
  for (std::size_t i = 0; i < placed.hcal().size(); ++i)
    maker.add(
        placed.hcal()[i], {Channel::HCAL, 0, 0, hcal_radius, event.hcal[i].energy, 0, 0, 0, 0, 0, 0}, true);
  return maker.finish();
}

}  // namespace e2egraph

#endif
