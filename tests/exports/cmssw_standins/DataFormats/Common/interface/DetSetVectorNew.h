#pragma once
#include <cstdint>
#include <vector>

namespace edmNew {
template <typename T>
class DetSet {
public:
  DetSet(std::uint32_t id, std::vector<T> elements) : id_(id), elements_(std::move(elements)) {}
  std::uint32_t detId() const { return id_; }
  auto begin() const { return elements_.begin(); }
  auto end() const { return elements_.end(); }

private:
  std::uint32_t id_;
  std::vector<T> elements_;
};

template <typename T>
using DetSetVector = std::vector<DetSet<T>>;
}  // namespace edmNew
