// Which jets and which nodes a tagger is made for, as its bundle's metadata.json says.
#ifndef E2EGRAPH_SELECTION_H
#define E2EGRAPH_SELECTION_H

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "e2egraph/channels.h"
#include "e2egraph/events.h"
#include "e2egraph/geometry.h"
#include "e2egraph/node.h"
#include "e2egraph/region.h"
#include "e2egraph/seed.h"

namespace e2egraph {

// Why a jet or cluster is none of the tagger's: the first cut it fails.
enum class Cut { none, pt, eta, seed_edge, barrel_edge, et, isolation };

inline constexpr std::string_view name_of(Cut cut) {
  constexpr std::array<std::string_view, 7> names{
      {"none", "pt", "eta", "seed_edge", "barrel_edge", "et", "isolation"}};
  return names[static_cast<std::size_t>(cut)];
}

struct JetSelection {
  double pt_min = 0;
  std::optional<double> pt_max;
  double abs_eta_max = 0;
  int edge_towers = 0;
};

// Clusters are found around crystals of more than seed_min [GeV], at least edge_crystals from either end of the barrel.
// Clusters pass whose summed pT [GeV] of the tracks around is no more than `most` of their E_T: of tracks above track_pt,
// between veto and cone in (eta, phi) from the cluster.
struct TrackIsolation {
  double most = 0, cone = 0, veto = 0, track_pt = 0;
};

struct ClusterSelection {
  double seed_min = 0, et_min = 0;
  std::optional<double> et_max;
  double abs_eta_max = 0;
  int edge_crystals = 0;
  std::optional<TrackIsolation> isolation;
};

namespace detail {

// low < value < high; NumPy compares a float32 column with a limit in float32.
inline bool between(float value, double low, const std::optional<double>& high) {
  return value > static_cast<float>(low) && (!high || value < static_cast<float>(*high));
}

}  // namespace detail

// `around`: summed pT of the tracks around, for selections with isolation.
inline Cut first_cut(const JetAxis& cluster, const ClusterSelection& selection, double around) {
  const int row = cluster.seed_ieta - barrel_first_row;
  if (std::min(row, barrel_rows - 1 - row) < selection.edge_crystals)
    return Cut::barrel_edge;
  if (!detail::between(cluster.pt, selection.et_min, selection.et_max))
    return Cut::et;
  if (!(std::abs(cluster.eta) < static_cast<float>(selection.abs_eta_max)))
    return Cut::eta;
  if (selection.isolation && !(around <= selection.isolation->most * static_cast<double>(cluster.pt)))
    return Cut::isolation;
  return Cut::none;
}

// CMS towers run to |ieta| = 28; a seed with 28 - |ieta| below edge_towers would need padding in eta.
inline Cut first_cut(const JetAxis& jet, const Seed& seed, const JetSelection& selection) {
  if (!detail::between(jet.pt, selection.pt_min, selection.pt_max))
    return Cut::pt;
  if (!(std::abs(jet.eta) < static_cast<float>(selection.abs_eta_max)))
    return Cut::eta;
  if (std::abs(signed_tower_ieta(seed.ieta)) > hcal_rows / 2 - selection.edge_towers)
    return Cut::seed_edge;
  return Cut::none;
}

// Nodes that are kept; all of them by default. A node must exceed its channel's threshold [GeV]. half_window: crystals
// on either side of the centre; radius: largest distance in (eta, phi) to it; caps, cap: nodes of a channel and in all,
// at most, the first in canonical order. Arrays are over the channels' numbers.
struct NodeSelection {
  static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

  std::array<bool, n_channels> channels = filled(true);
  std::array<double, n_channels> thresholds = filled(-std::numeric_limits<double>::infinity());
  std::optional<int> half_window;
  std::optional<double> radius;
  std::optional<std::array<std::size_t, n_channels>> caps;
  std::size_t cap = no_limit;

  template <typename T>
  static std::array<T, n_channels> filled(T value) {
    std::array<T, n_channels> result;
    result.fill(value);
    return result;
  }

  bool wants(Channel channel) const { return channels[number(channel)]; }

  bool above_threshold(const Node& node) const {
    return static_cast<double>(node.value) > thresholds[number(node.channel)];
  }

  bool near_centre(const Node& node) const {
    if (half_window && (std::abs(pixel_offset(node.deta, eta_pitch)) > *half_window ||
                        std::abs(pixel_offset(node.dphi, phi_pitch)) > *half_window))
      return false;
    return !radius || std::hypot(static_cast<double>(node.deta), static_cast<double>(node.dphi)) <= *radius;
  }

  bool keeps(const Node& node) const { return wants(node.channel) && above_threshold(node) && near_centre(node); }

  // Cuts nodes, which are in canonical order, down to the caps; returns how many went.
  std::size_t cut_to_caps(std::vector<Node>& nodes) const {
    const std::size_t before = nodes.size();
    if (caps) {
      std::array<std::size_t, n_channels> found{};
      std::size_t kept = 0;
      for (const Node& node : nodes)
        if (found[number(node.channel)]++ < (*caps)[number(node.channel)])
          nodes[kept++] = node;
      nodes.resize(kept);
    }
    nodes.resize(std::min(nodes.size(), cap));
    return before - nodes.size();
  }
};

// How the nodes of a jet are made: the region, what of it becomes a node, and whether |d0| > 10 cm and |dz| > 20 cm
// (with their significances) are set to zero.
struct NodeDefinition {
  InputChannels channels;
  Region region;
  NodeSelection selection;
  bool suppress_d0 = true, suppress_dz = true;

  // The channel of a collection's nodes, for all collections but hits; none where none is wanted.
  std::optional<Channel> wanted(Collection collection) const {
    const auto channel = channels.of(collection);
    return channel && selection.wants(*channel) ? channel : std::nullopt;
  }

  bool wants_hits() const {
    for (const InputChannel& row : channels.rows())
      if (row.collection == Collection::hits && selection.wants(row.channel))
        return true;
    return false;
  }
};

// Drops the nodes that a selection does not keep, its caps aside; the others stay in order.
inline void select_nodes(std::vector<Node>& nodes, const NodeSelection& selection) {
  const auto unwanted = [&](const Node& node) { return !selection.keeps(node); };
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(), unwanted), nodes.end());
}

}  // namespace e2egraph

#endif
