#pragma once
#include <string>

namespace edm {
template <typename T>
class EDGetTokenT {
public:
  EDGetTokenT() = default;
  explicit EDGetTokenT(std::string tag) : tag_(std::move(tag)), set_(true) {}
  bool isUninitialized() const { return !set_; }
  const std::string& tag() const { return tag_; }

private:
  std::string tag_;
  bool set_ = false;
};
}  // namespace edm
