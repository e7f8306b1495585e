// The track, hit, crystal or tower that a node was made from.
#ifndef E2EGRAPH_DEPOSIT_H
#define E2EGRAPH_DEPOSIT_H

#include <cstddef>

#include "e2egraph/channels.h"
#include "e2egraph/events.h"

namespace e2egraph {

// Entry `index` of a collection of `event`. Of the four below, one is not null.
struct Deposit {
  const Event& event;
  Collection collection;
  std::size_t index;

  const Track* track() const { return collection == Collection::tracks ? &event.tracks[index] : nullptr; }
  const Hit* hit() const { return collection == Collection::hits ? &event.hits[index] : nullptr; }
  const Crystal* crystal() const { return collection == Collection::ecal ? &event.ecal[index] : nullptr; }
  const Tower* tower() const { return collection == Collection::hcal ? &event.hcal[index] : nullptr; }
};

}  // namespace e2egraph

#endif
