#pragma once
#include <any>
#include <map>
#include <memory>
#include <typeindex>
#include <typeinfo>

#include "FWCore/Utilities/interface/ESGetToken.h"
#include "FWCore/Utilities/interface/Exception.h"

namespace edm {
class EventSetup {
public:
  template <typename T, typename Record>
  const T& getData(const ESGetToken<T, Record>& token) const {
    if (token.isUninitialized())
      throw cms::Exception("EventSetup") << typeid(T).name() << " was not consumed";
    return **std::any_cast<std::shared_ptr<T>>(&data_.at(typeid(T)));
  }
  template <typename T>
  void add(T data) {
    data_[typeid(T)] = std::make_shared<T>(std::move(data));
  }

private:
  std::map<std::type_index, std::any> data_;
};
}  // namespace edm
