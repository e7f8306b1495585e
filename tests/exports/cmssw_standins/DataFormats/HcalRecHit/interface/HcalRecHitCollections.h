#pragma once
#include <vector>

#include "DataFormats/HcalDetId/interface/HcalDetId.h"

class HBHERecHit {
public:
  HBHERecHit(const HcalDetId& id, float energy) : id_(id), energy_(energy) {}
  HcalDetId id() const { return id_; }
  float energy() const { return energy_; }

private:
  HcalDetId id_;
  float energy_;
};

using HBHERecHitCollection = std::vector<HBHERecHit>;
