#pragma once

class LocalPoint {
public:
  LocalPoint(float x, float y, float z) : x_(x), y_(y), z_(z) {}
  float x() const { return x_; }
  float y() const { return y_; }
  float z() const { return z_; }

private:
  float x_, y_, z_;
};
