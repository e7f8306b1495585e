// Variables from outside the library, as a user's own source file adds them to the runner.
#include <cmath>

#include "e2egraph/variables.h"

namespace {

using e2egraph::Deposit;
using e2egraph::Node;

// z of a hit, 2 for a track, -E of a tower; crystals have none.
const bool depth = e2egraph::register_variable("depth", [](const Node&, const Deposit& deposit) {
  if (const e2egraph::Hit* hit = deposit.hit())
    return hit->z;
  if (const e2egraph::Tower* tower = deposit.tower())
    return -tower->energy;
  return deposit.track() != nullptr ? 2.0F : 0.0F;
});

const bool broken = e2egraph::register_variable("broken", [](const Node& node, const Deposit&) {
  return node.value > 0 ? 1.0F : std::nanf("");
});

// d0 of a track as measured, not suppressed, in micrometres; the row of a crystal.
const bool raw = e2egraph::register_variable("raw", [](const Node&, const Deposit& deposit) {
  if (const e2egraph::Track* track = deposit.track())
    return track->d0 * 1e4F;
  return deposit.crystal() != nullptr ? static_cast<float>(deposit.crystal()->ieta) : 0.0F;
});

}  // namespace
