#pragma once
#include <cstddef>

#include "DataFormats/Common/interface/Handle.h"
#include "DataFormats/Common/interface/View.h"

namespace edm {
template <typename T>
class RefToBase {
public:
  RefToBase() = default;
  RefToBase(const Handle<View<T>>& handle, std::size_t i) : view_(&*handle), key_(i) {}
  const T& operator*() const { return (*view_)[key_]; }
  const T* operator->() const { return &(*view_)[key_]; }
  const void* id() const { return view_; }
  std::size_t key() const { return key_; }
  bool isNonnull() const { return view_ != nullptr; }

private:
  const View<T>* view_ = nullptr;
  std::size_t key_ = 0;
};
}  // namespace edm
