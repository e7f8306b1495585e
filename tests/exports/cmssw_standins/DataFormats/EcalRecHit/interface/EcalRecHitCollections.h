#pragma once
#include <vector>

#include "DataFormats/DetId/interface/DetId.h"

class EcalRecHit {
public:
  EcalRecHit(const DetId& id, float energy, float time) : id_(id), energy_(energy), time_(time) {}
  DetId id() const { return id_; }
  float energy() const { return energy_; }
  float time() const { return time_; }

private:
  DetId id_;
  float energy_, time_;
};

using EcalRecHitCollection = std::vector<EcalRecHit>;
