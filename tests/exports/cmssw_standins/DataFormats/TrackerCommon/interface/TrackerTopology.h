#pragma once
#include "DataFormats/DetId/interface/DetId.h"

class TrackerTopology {
public:
  unsigned int layer(const DetId& id) const { return id.rawId() >> 20 & 0xFU; }
};
