#pragma once

namespace Geom {
template <typename T>
class Phi {
public:
  explicit Phi(T value) : value_(value) {}
  operator T() const { return value_; }

private:
  T value_;
};
}  // namespace Geom
