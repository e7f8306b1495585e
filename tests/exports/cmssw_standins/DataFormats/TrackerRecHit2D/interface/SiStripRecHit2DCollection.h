#pragma once
#include "DataFormats/Common/interface/DetSetVectorNew.h"
#include "DataFormats/GeometryVector/interface/LocalPoint.h"

class SiStripRecHit2D {
public:
  SiStripRecHit2D(const LocalPoint& position, bool valid) : position_(position), valid_(valid) {}
  LocalPoint localPosition() const { return position_; }
  bool isValid() const { return valid_; }

private:
  LocalPoint position_;
  bool valid_;
};

using SiStripRecHit2DCollection = edmNew::DetSetVector<SiStripRecHit2D>;
