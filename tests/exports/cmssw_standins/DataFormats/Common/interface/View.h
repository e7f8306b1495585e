#pragma once
#include <cstddef>
#include <vector>

namespace edm {
template <typename T>
class Ptr {
public:
  Ptr(const void* id, std::size_t key) : id_(id), key_(key) {}
  const void* id() const { return id_; }
  std::size_t key() const { return key_; }

private:
  const void* id_;
  std::size_t key_;
};

template <typename T>
class View {
public:
  explicit View(std::vector<T> elements) : elements_(std::move(elements)) {}
  std::size_t size() const { return elements_.size(); }
  bool empty() const { return elements_.empty(); }
  const T& operator[](std::size_t i) const { return elements_[i]; }
  Ptr<T> ptrAt(std::size_t i) const { return {this, i}; }

private:
  std::vector<T> elements_;
};
}  // namespace edm
