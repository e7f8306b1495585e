// The tower that a jet's window is centred on, or the crystal of a cluster's.
#ifndef E2EGRAPH_SEED_H
#define E2EGRAPH_SEED_H

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/events.h"
#include "e2egraph/geometry.h"

namespace e2egraph {

// Row 0–55 and column 0–71 of a tower; or, where it is a crystal, row 0–279 and column 0–359 of that.
struct Seed {
  int ieta = 0, iphi = 0;
  bool crystal = false;
};

// The most energetic tower is sought within 3 towers of the one under the jet's axis (MLAnalyzer, 7 x 7 towers).
inline constexpr int seed_reach = 3;

// Tower energies [GeV] of one event as an image, summed in float64 where a tower stands more than once.
class TowerImage {
public:
  // InputError: a tower outside the image, or an energy that is no number.
  explicit TowerImage(const Event& event) {
    std::vector<double> sums(static_cast<std::size_t>(hcal_rows) * hcal_columns, 0.0);
    for (const Tower& tower : event.hcal) {
      check(event, tower);
      sums[place(tower.ieta, tower.iphi)] += static_cast<double>(tower.energy);
    }
    energy_.assign(sums.begin(), sums.end());
  }

  float at(int row, int column) const { return energy_[place(row, column)]; }

  static void check(const Event& event, const Tower& tower) {
    if (tower.ieta < 0 || tower.ieta >= hcal_rows || tower.iphi < 0 || tower.iphi >= hcal_columns)
      throw InputError("event " + name_of(event) +
                       ": a tower lies outside rows 0–55 and columns 0–71; make it again.");
    if (!std::isfinite(tower.energy))
      throw InputError("event " + name_of(event) + ": hcal.energy holds NaN or infinite values; make it again.");
  }

private:
  static std::size_t place(int row, int column) { return static_cast<std::size_t>(row * hcal_columns + column); }

  std::vector<float> energy_;
};

// The most energetic of the 7 x 7 towers around the one under the axis; phi wraps round, rows beyond the image are left
// out. Of equally energetic towers the first in row-major order; with no energy at all, the tower under the axis.
inline Seed find_seed(const TowerImage& towers, float eta, float phi) {
  const int row = std::clamp(hcal_row(static_cast<double>(eta)), 0, hcal_rows - 1);
  const int column = hcal_column(static_cast<double>(phi));
  Seed best{row, column};
  float highest = 0;
  for (int i = row - seed_reach; i <= row + seed_reach; ++i)
    for (int j = column - seed_reach; j <= column + seed_reach; ++j) {
      if (i < 0 || i >= hcal_rows)
        continue;
      const Seed here{i, static_cast<int>(modulo(j, hcal_columns))};
      if (towers.at(here.ieta, here.iphi) > highest) {
        highest = towers.at(here.ieta, here.iphi);
        best = here;
      }
    }
  return best;
}

}  // namespace e2egraph

#endif
