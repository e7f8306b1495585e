// Energies of crystals across and along the beams, as the mass regressions of the field read them.
#ifndef E2EGRAPH_CRYSTAL_ENERGIES_H
#define E2EGRAPH_CRYSTAL_ENERGIES_H

#include <cmath>

#include "e2egraph/geometry.h"
#include "e2egraph/variables.h"

namespace e2egraph {

// E / cosh(eta) [GeV] of a crystal, eta of its centre seen from the detector's; 0 for other deposits.
inline const bool energy_t_known = register_variable("energy_t", [](const Node&, const Deposit& deposit) {
  const Crystal* crystal = deposit.crystal();
  return crystal == nullptr ? 0.0F : static_cast<float>(crystal->energy / std::cosh(ecal_eta(crystal->ieta)));
});

// E |tanh(eta)| [GeV].
inline const bool energy_z_known = register_variable("energy_z", [](const Node&, const Deposit& deposit) {
  const Crystal* crystal = deposit.crystal();
  return crystal == nullptr ? 0.0F
                            : static_cast<float>(crystal->energy * std::abs(std::tanh(ecal_eta(crystal->ieta))));
});

}  // namespace e2egraph

#endif
