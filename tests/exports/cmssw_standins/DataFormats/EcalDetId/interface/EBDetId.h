#pragma once
#include "DataFormats/DetId/interface/DetId.h"

class EBDetId : public DetId {
public:
  explicit EBDetId(const DetId& id) : DetId(id) {}
  EBDetId(int ieta, int iphi)
      : DetId((ieta > 0 ? 1U << 16 : 0U) | static_cast<std::uint32_t>(ieta > 0 ? ieta : -ieta) << 9 |
              static_cast<std::uint32_t>(iphi)) {}
  int ieta() const {
    const int absolute = static_cast<int>(id_ >> 9 & 0x7FU);
    return (id_ & 1U << 16) != 0 ? absolute : -absolute;
  }
  int iphi() const { return static_cast<int>(id_ & 0x1FFU); }
};
