// Clusters of ECAL crystals: found around local maxima, and their quantities seen from the primary vertex.
//
// Mirrors e2egraph/tasks/objects/cluster.py: the same seeds; quantities equal up to a rounding of float32.
#ifndef E2EGRAPH_CLUSTERS_H
#define E2EGRAPH_CLUSTERS_H

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <tuple>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/events.h"
#include "e2egraph/geometry.h"
#include "e2egraph/selection.h"

namespace e2egraph {

// Summed pT [GeV] of the tracks around (eta, phi) on the crystals, seen from the detector's centre.
// Mirrors e2egraph/tasks/objects/track_isolation.py.
inline double track_sum(const Event& event, double eta, double phi, const TrackIsolation& isolation) {
  double sum = 0;
  for (const Track& track : event.tracks) {
    if (!(track.pt > static_cast<float>(isolation.track_pt)))
      continue;
    const double deta = static_cast<double>(track.eta) - eta, dphi = delta_phi(static_cast<double>(track.phi), phi);
    const double distance = std::sqrt(deta * deta + dphi * dphi);
    if (distance > isolation.veto && distance < isolation.cone)
      sum += static_cast<double>(track.pt);
  }
  return sum;
}

// Crystals on either side of a seed that belong to its cluster, and of the inner 3 x 3 that R9 is the share of.
inline constexpr int cluster_half_rows = 2, cluster_half_columns = 8, cluster_inner = 1;

// The crystals of one event with positive energy, by row and column; of one crystal, in the order of the event.
class CrystalRows {
public:
  // InputError: a crystal outside the image, or an energy that is no number.
  explicit CrystalRows(const Event& event) : event_(&event), vertex_(event.pv) {
    if (!std::isfinite(vertex_.x) || !std::isfinite(vertex_.y) || !std::isfinite(vertex_.z))
      throw InputError("event " + name_of(event) + ": its primary vertex is NaN or infinite; make it again.");
    for (const Crystal& crystal : event.ecal) {
      if (crystal.ieta < 0 || crystal.ieta >= ecal_rows || crystal.iphi < 0 || crystal.iphi >= ecal_columns)
        throw InputError("event " + name_of(event) +
                         ": a crystal lies outside rows 0–279 and columns 0–359; make it again.");
      if (!std::isfinite(crystal.energy))
        throw InputError("event " + name_of(event) + ": its crystals hold NaN or infinite values; make it again.");
      if (crystal.energy > 0)
        cells_.push_back({crystal.ieta, crystal.iphi, crystal.energy});
    }
    std::stable_sort(cells_.begin(), cells_.end(), [](const Cell& a, const Cell& b) {
      return std::tie(a.row, a.column) < std::tie(b.row, b.column);
    });
    std::size_t next = 0;
    for (int row = 0; row <= ecal_rows; ++row) {
      while (next < cells_.size() && cells_[next].row < row)
        ++next;
      begins_[static_cast<std::size_t>(row)] = next;
    }
  }

  // All clusters by row and column of their seeds, which hold more than `seed_min` [GeV]; index: their number.
  std::vector<JetAxis> clusters(double seed_min) const {
    std::vector<JetAxis> found;
    // NumPy compares a float32 column with a limit in float32.
    const auto least = static_cast<float>(seed_min);
    for (std::size_t seed = 0; seed < cells_.size(); ++seed) {
      if (!(cells_[seed].energy > least) || !is_seed(seed))
        continue;
      JetAxis axis;
      axis.index = static_cast<int>(found.size());
      axis.seed_ieta = cells_[seed].row;
      axis.seed_iphi = cells_[seed].column;
      measure(axis);
      found.push_back(axis);
    }
    return found;
  }

  // Fills in E_T, direction and shape of the cluster around the seed of `axis`; all 0 where there is no energy. Returns
  // the summed pT of the tracks around, where `isolation` says which.
  double measure(JetAxis& axis, const std::optional<TrackIsolation>& isolation = {}) const {
    double total = 0, inner = 0, along_eta = 0, along_phi = 0;
    for_each_near(axis.seed_ieta, axis.seed_iphi, [&](std::size_t i, int rows, int columns) {
      const auto energy = static_cast<double>(cells_[i].energy);
      total += energy;
      along_eta += energy * rows;
      along_phi += energy * columns;
      if (std::abs(rows) <= cluster_inner && std::abs(columns) <= cluster_inner)
        inner += energy;
    });
    axis.pt = axis.eta = axis.phi = axis.cluster_energy = axis.r9 = axis.eta_width = axis.phi_width = 0;
    if (!(total > 0))
      return 0;
    const double mean_row = along_eta / total, mean_column = along_phi / total;
    double spread_eta = 0, spread_phi = 0;
    for_each_near(axis.seed_ieta, axis.seed_iphi, [&](std::size_t i, int rows, int columns) {
      const auto energy = static_cast<double>(cells_[i].energy);
      spread_eta += energy * ((rows - mean_row) * (rows - mean_row));
      spread_phi += energy * ((columns - mean_column) * (columns - mean_column));
    });
    axis.cluster_energy = static_cast<float>(total);
    axis.r9 = static_cast<float>(inner / total);
    axis.eta_width = static_cast<float>(std::sqrt(spread_eta / total));
    axis.phi_width = static_cast<float>(std::sqrt(spread_phi / total));
    const double eta = ecal_eta(axis.seed_ieta + mean_row), phi = ecal_phi(axis.seed_iphi + mean_column);
    const auto radius = static_cast<double>(ecal_radius);
    const double x = radius * std::cos(phi) - static_cast<double>(vertex_.x);
    const double y = radius * std::sin(phi) - static_cast<double>(vertex_.y);
    const double z = radius * std::sinh(eta) - static_cast<double>(vertex_.z);
    const double rho = std::hypot(x, y);
    axis.pt = static_cast<float>(total * (rho / std::hypot(rho, z)));
    axis.eta = static_cast<float>(std::asinh(z / rho));
    axis.phi = static_cast<float>(std::atan2(y, x));
    return isolation ? track_sum(*event_, eta, phi, *isolation) : 0;
  }

private:
  struct Cell {
    int row = 0, column = 0;
    float energy = 0;
  };

  // No crystal in reach is more energetic. Of equally energetic ones that of the lower row counts as more energetic,
  // then that which comes first in phi, then the earlier one in the event.
  bool is_seed(std::size_t seed) const {
    const Cell& own = cells_[seed];
    bool highest = true, before = true;
    for_each_near(own.row, own.column, [&](std::size_t i, int, int) {
      if (i == seed)
        before = false;
      else if (cells_[i].energy > own.energy || (cells_[i].energy == own.energy && before))
        highest = false;
    });
    return highest;
  }

  // Calls use(cell, rows, columns) for the crystals in reach of (row, column), row by row and along phi, which closes.
  template <typename Use>
  void for_each_near(int row, int column, const Use& use) const {
    for (int rows = -cluster_half_rows; rows <= cluster_half_rows; ++rows) {
      if (row + rows < 0 || row + rows >= ecal_rows)
        continue;
      const int first = column - cluster_half_columns, last = column + cluster_half_columns;
      stretch(row + rows, first + ecal_columns, ecal_columns - 1, rows, column + ecal_columns, use);
      stretch(row + rows, std::max(first, 0), std::min(last, ecal_columns - 1), rows, column, use);
      stretch(row + rows, 0, last - ecal_columns, rows, column - ecal_columns, use);
    }
  }

  template <typename Use>
  void stretch(int row, int first, int last, int rows, int column, const Use& use) const {
    const auto end = cells_.begin() + static_cast<std::ptrdiff_t>(begins_[static_cast<std::size_t>(row) + 1]);
    auto cell = cells_.begin() + static_cast<std::ptrdiff_t>(begins_[static_cast<std::size_t>(row)]);
    cell = std::lower_bound(cell, end, first, [](const Cell& a, int value) { return a.column < value; });
    for (; cell != end && cell->column <= last; ++cell)
      use(static_cast<std::size_t>(cell - cells_.begin()), rows, cell->column - column);
  }

  const Event* event_;
  Vertex vertex_;
  std::vector<Cell> cells_;
  std::array<std::size_t, static_cast<std::size_t>(ecal_rows) + 1> begins_{};
};

}  // namespace e2egraph

#endif
