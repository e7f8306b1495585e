// The quick look at hits and the order of nodes, against what they stand for, on random and on awkward numbers.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <random>
#include <vector>

#include "e2egraph/nodes.h"

using namespace e2egraph;

namespace {

std::mt19937_64 engine(1);

double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine); }

// A hit in a direction, or some steps of float32 beside it.
Hit hit_at(double eta, double phi, double rho) {
  Hit hit;
  hit.x = static_cast<float>(rho * std::cos(phi));
  hit.y = static_cast<float>(rho * std::sin(phi));
  hit.z = static_cast<float>(rho * std::sinh(eta));
  for (float* value : {&hit.x, &hit.y, &hit.z})
    for (int steps = static_cast<int>(engine() % 3); steps > 0; --steps)
      *value = std::nextafter(*value, engine() % 2 ? 1e30F : -1e30F);
  return hit;
}

bool lies_inside(const Hit& hit, const RegionCentre& centre, int half_rows, int half_columns) {
  const Place place = place_of(hit);
  const int apart = static_cast<int>(modulo(place.column - centre.column + 180, 360)) - 180;
  return std::abs(place.row - centre.row) <= half_rows && std::abs(apart) <= half_columns;
}

// Counts hits of the region that the quick look misses, and hits that it leaves out.
void look(int half_rows, int half_columns, std::size_t& missed, std::size_t& inside, std::size_t& outside) {
  for (int trial = 0; trial < 40; ++trial) {
    const Seed seed{static_cast<int>(engine() % hcal_rows), static_cast<int>(engine() % hcal_columns)};
    const RegionCentre centre = centre_of(seed);
    const detail::NearRegion near(centre, half_rows, half_columns);
    for (int i = 0; i < 500; ++i) {
      const bool at_edge = i % 2 == 0;
      const double side = engine() % 2 ? 1.0 : -1.0, other = engine() % 2 ? 1.0 : -1.0;
      const double rows = at_edge ? side * (half_rows + 0.5) : uniform(-200, 200);
      const double columns = at_edge ? other * (half_columns + 0.5) : uniform(-180, 180);
      const Hit hit = hit_at(centre.eta + rows * eta_pitch, centre.phi + columns * phi_pitch,
                             std::exp(uniform(-30, 6)));
      const bool in = lies_inside(hit, centre, half_rows, half_columns);
      missed += in && !near.holds(hit);
      inside += in;
      outside += !near.holds(hit);
    }
  }
}

bool comes_before(const Node& a, const Node& b) {
  if (a.channel != b.channel)
    return a.channel < b.channel;
  if (a.value != b.value)
    return a.value > b.value;
  if (a.deta != b.deta)
    return a.deta < b.deta;
  return a.dphi < b.dphi;
}

bool sorts_as_a_stable_sort_does() {
  const std::vector<float> numbers{-0.0F, 0.0F, 1.0F, -1.0F, 1e-45F, -1e-45F, 3.5F, std::numeric_limits<float>::max(),
                                   std::numeric_limits<float>::lowest()};
  for (std::size_t size = 0; size < 400; ++size) {
    std::vector<Node> nodes(size);
    for (std::size_t i = 0; i < size; ++i) {
      nodes[i].channel = static_cast<Channel>(engine() % 2 ? engine() % 3 : 255);
      nodes[i].index = static_cast<std::uint32_t>(i);
      nodes[i].value = size % 2 ? numbers[engine() % numbers.size()] : static_cast<float>(uniform(-1, 1));
      nodes[i].deta = numbers[engine() % numbers.size()];
      nodes[i].dphi = engine() % 2 ? numbers[engine() % numbers.size()] : static_cast<float>(uniform(-1, 1));
    }
    const std::vector<Node> sorted = sorted_canonically(nodes);
    std::stable_sort(nodes.begin(), nodes.end(), comes_before);
    for (std::size_t i = 0; i < size; ++i)
      if (sorted[i].index != nodes[i].index)
        return false;
  }
  return true;
}

}  // namespace

int main() {
  std::size_t missed = 0, inside = 0, outside = 0;
  for (const int half_rows : {0, 1, 16, 62, 140})
    for (const int half_columns : {0, 1, 16, 62, 87, 88, 89, 120, 179})
      look(half_rows, half_columns, missed, inside, outside);
  // On the beam line, where there is no direction, and at the vertex.
  for (const float z : {0.0F, 1e-12F, 1.0F, -1e30F}) {
    const RegionCentre centre = centre_of({28, 2});
    Hit hit;
    hit.x = hit.y = 0;
    hit.z = z;
    missed += lies_inside(hit, centre, 62, 62) && !detail::NearRegion(centre, 62, 62).holds(hit);
  }
  std::cout << missed << " " << inside << " " << outside << " " << sorts_as_a_stable_sort_does() << "\n";
}
