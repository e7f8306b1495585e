#pragma once
#include <map>
#include <vector>

#include "DataFormats/Common/interface/Handle.h"
#include "FWCore/Utilities/interface/Exception.h"

namespace edm {
template <typename T>
class ValueMap {
public:
  class Filler {
  public:
    explicit Filler(ValueMap& map) : map_(map) {}
    template <typename Collection, typename Iterator>
    void insert(const Handle<Collection>& handle, Iterator begin, Iterator end) {
      pending_[handle.id()] = std::vector<T>(begin, end);
      if (pending_[handle.id()].size() != handle->size())
        throw cms::Exception("ValueMap") << "as many values as there are elements are needed";
    }
    void fill() { map_.values_ = pending_; }

  private:
    ValueMap& map_;
    std::map<const void*, std::vector<T>> pending_;
  };

  template <typename Reference>
  const T& operator[](const Reference& reference) const {
    return values_.at(reference.id()).at(reference.key());
  }

private:
  std::map<const void*, std::vector<T>> values_;
};
}  // namespace edm
