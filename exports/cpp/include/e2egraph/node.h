// One node of a jet's point cloud, its pixel in the region, and the canonical order.
#ifndef E2EGRAPH_NODE_H
#define E2EGRAPH_NODE_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "e2egraph/channels.h"

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

// By channel, falling value, deta, dphi.
inline bool comes_before(const Node& a, const Node& b) {
  if (a.channel != b.channel)
    return a.channel < b.channel;
  if (a.value != b.value)
    return a.value > b.value;
  if (a.deta != b.deta)
    return a.deta < b.deta;
  return a.dphi < b.dphi;
}

// What ties keeps its order in the event.
inline void sort_canonically(std::vector<Node>& nodes) { std::stable_sort(nodes.begin(), nodes.end(), comes_before); }

}  // namespace e2egraph

#endif
