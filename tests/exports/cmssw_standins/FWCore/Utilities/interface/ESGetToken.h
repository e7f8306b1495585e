#pragma once

namespace edm {
template <typename Product, typename Record>
class ESGetToken {
public:
  ESGetToken() = default;
  explicit ESGetToken(bool set) : set_(set) {}
  bool isUninitialized() const { return !set_; }

private:
  bool set_ = false;
};
}  // namespace edm
