#pragma once
#include "DataFormats/DetId/interface/DetId.h"
#include "DataFormats/GeometryVector/interface/GlobalPoint.h"
#include "DataFormats/GeometryVector/interface/LocalPoint.h"

class GeomDet {
public:
  struct Surface {
    GlobalPoint toGlobal(const LocalPoint& point) const { return {point.x() + 1, point.y() + 2, point.z() + 3}; }
  };
  const Surface& surface() const { return surface_; }

private:
  Surface surface_;
};

// Every module lies at (1, 2, 3) cm, save the last one, which does not exist.
class TrackerGeometry {
public:
  const GeomDet* idToDet(DetId id) const { return (id.rawId() & 0xFFU) == 0xFFU ? nullptr : &module_; }

private:
  GeomDet module_;
};
