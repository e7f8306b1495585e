#pragma once

namespace edm {
template <typename T>
class Handle {
public:
  explicit Handle(const T* product) : product_(product) {}
  const T& operator*() const { return *product_; }
  const T* operator->() const { return product_; }
  const void* id() const { return product_; }

private:
  const T* product_;
};
}  // namespace edm
