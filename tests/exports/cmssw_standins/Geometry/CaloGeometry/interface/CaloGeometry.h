#pragma once
#include <cmath>

#include "DataFormats/DetId/interface/DetId.h"
#include "DataFormats/GeometryVector/interface/GlobalPoint.h"

// The endcaps' crystals stand at eta = ±n / 1000, phi = m + 1/2 degrees; side, n and m are in their number.
class CaloGeometry {
public:
  static DetId endcap(bool positive, unsigned int n, unsigned int m) {
    return DetId((positive ? 1U : 0U) | n << 1 | m << 14);
  }
  GlobalPoint getPosition(const DetId& id) const {
    const double eta = (id.rawId() >> 1 & 0x1FFFU) / 1000.0;
    const double phi = ((id.rawId() >> 14) + 0.5) * 3.14159265358979323846 / 180;
    const double z = (id.rawId() & 1U) != 0 ? 320 : -320;
    const double rho = 320 / std::sinh(eta);
    return {static_cast<float>(rho * std::cos(phi)), static_cast<float>(rho * std::sin(phi)), static_cast<float>(z)};
  }
};
