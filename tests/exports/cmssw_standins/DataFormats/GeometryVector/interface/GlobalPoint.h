#pragma once
#include <cmath>

#include "DataFormats/GeometryVector/interface/Phi.h"

class GlobalPoint {
public:
  GlobalPoint(float x, float y, float z) : x_(x), y_(y), z_(z) {}
  float x() const { return x_; }
  float y() const { return y_; }
  float z() const { return z_; }
  float eta() const { return std::asinh(z_ / std::hypot(x_, y_)); }
  Geom::Phi<float> phi() const { return Geom::Phi<float>(std::atan2(y_, x_)); }

private:
  float x_, y_, z_;
};
