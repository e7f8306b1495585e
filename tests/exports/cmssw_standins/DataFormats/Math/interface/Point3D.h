#pragma once
#include <cmath>

namespace math {
class XYZPoint {
public:
  XYZPoint() = default;
  XYZPoint(double x, double y, double z) : x_(x), y_(y), z_(z) {}
  double x() const { return x_; }
  double y() const { return y_; }
  double z() const { return z_; }
  double eta() const { return std::asinh(z_ / std::hypot(x_, y_)); }
  double phi() const { return std::atan2(y_, x_); }

private:
  double x_ = 0, y_ = 0, z_ = 0;
};
}  // namespace math
