// The region: the part of the detector around a jet that is cut out, as the pixels it is made of.
#ifndef E2EGRAPH_REGION_H
#define E2EGRAPH_REGION_H

#include "e2egraph/geometry.h"
#include "e2egraph/seed.h"

namespace e2egraph {

// rows x columns pixels of eta_pitch x phi_pitch [rad] around a seed: the middle crystal of a tower, or a crystal.
// periodic: its columns close in phi. lattice: pixels are crystals, and every node lies in the pixel it was measured in.
// whole: the detector up to half_eta(), without a seed; nodes have their own eta and phi.
struct Region {
  int rows = 1, columns = 1;
  double eta_pitch = e2egraph::eta_pitch, phi_pitch = e2egraph::phi_pitch;
  bool periodic = false, lattice = true, whole = false;

  // Rows and columns on either side of the middle one.
  int half_rows() const { return rows / 2; }
  int half_columns() const { return columns / 2; }
  double half_eta() const { return 0.5 * rows * eta_pitch; }
};

// Where a region's middle pixel lies: row and column of its crystal, and eta, phi [rad] of that one's middle.
struct RegionCentre {
  int row = 0, column = 0;
  double eta = 0, phi = 0;
};

// The one place that decides it. The whole detector has no centre.
inline RegionCentre centre_of(const Seed& seed) {
  const int row = seed.crystal ? seed.ieta : centre_crystal(seed.ieta);
  const int column = seed.crystal ? seed.iphi : centre_crystal(seed.iphi);
  return {row, column, ecal_eta(row), ecal_phi(column)};
}

}  // namespace e2egraph

#endif
