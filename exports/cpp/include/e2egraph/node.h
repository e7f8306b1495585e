// One node of a jet's point cloud, its pixel in the region, and the canonical order.
#ifndef E2EGRAPH_NODE_H
#define E2EGRAPH_NODE_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "e2egraph/channels.h"
#include "e2egraph/geometry.h"

namespace e2egraph {

// deta, dphi: to the region's centre [rad]; rho [cm]; value: pT or energy [GeV], 1 for a hit; d0, dz [cm] and their
// significances; charge [e]; time [ns]. Zero where a variable has no meaning for the collection. index: of the deposit
// that the node was made from, in its collection of the event.
struct Node {
  Channel channel = Channel::TRACK;
  Collection collection = Collection::tracks;
  std::uint32_t index = 0;
  float deta = 0, dphi = 0, rho = 0, value = 0, d0 = 0, dz = 0, d0_sig = 0, dz_sig = 0, charge = 0, time = 0;
};

// A coordinate this close to a pixel's edge (in pixels) is moved inside; far above float32 rounding at 62 pixels.
inline constexpr double edge_margin = 2e-5;

// Pixels between the region's centre and a node: floor(delta / pitch + 1/2) in float32, 0 for the centre pixel.
inline std::int64_t pixel_offset(float delta, double pitch) {
  return static_cast<std::int64_t>(std::floor(delta * static_cast<float>(1.0 / pitch) + 0.5F));
}

// delta [rad] as float32, moved by at most a rounding so that pixel_offset gives back exactly `offset`.
inline float inside_pixel(double delta, int offset, double pitch) {
  const double half = 0.5 - edge_margin;
  return static_cast<float>(std::min(std::max(delta, (offset - half) * pitch), (offset + half) * pitch));
}

// eta of whole events, moved by at most a rounding to lie inside its crystal row also as float32.
inline double inside_crystal_row(double eta, int row) {
  const double half = (0.5 - 2.0 * edge_margin) * eta_pitch, middle = ecal_eta(row);
  return std::min(std::max(eta, middle - half), middle + half);
}

// A number without NaN as an integer that is ordered as numbers are; the zeros of both signs are one.
inline std::uint64_t ordered(float value) {
  const float number = value + 0.0F;
  std::uint32_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  constexpr std::uint32_t sign = 0x80000000U;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

// The canonical order as integers: by channel, falling value, deta, dphi; what ties keeps its order in the event.
struct NodeOrder {
  std::uint64_t first = 0, second = 0;
  std::size_t index = 0;

  NodeOrder(const Node& node, std::size_t number)
      : first(static_cast<std::uint64_t>(node.channel) << 32 | ordered(-node.value)),
        second(ordered(node.deta) << 32 | ordered(node.dphi)), index(number) {}

  bool operator<(const NodeOrder& other) const {
    if (first != other.first)
      return first < other.first;
    return second != other.second ? second < other.second : index < other.index;
  }
};

// Nodes are several times as large as what they are sorted by, and are moved once.
inline std::vector<Node> sorted_canonically(const std::vector<Node>& nodes) {
  std::vector<NodeOrder> order;
  order.reserve(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    order.emplace_back(nodes[i], i);
  std::sort(order.begin(), order.end());
  std::vector<Node> sorted;
  sorted.reserve(nodes.size());
  for (const NodeOrder& entry : order)
    sorted.push_back(nodes[entry.index]);
  return sorted;
}

}  // namespace e2egraph

#endif
