#pragma once
#include <any>
#include <map>
#include <string>

#include "FWCore/Utilities/interface/Exception.h"

namespace edm {
class ParameterSet {
public:
  template <typename T>
  T getParameter(const std::string& name) const {
    const auto found = values_.find(name);
    const T* value = found == values_.end() ? nullptr : std::any_cast<T>(&found->second);
    if (value == nullptr)
      throw cms::Exception("Configuration") << "no parameter '" << name << "' of the type asked for";
    return *value;
  }
  void set(const std::string& name, std::any value) { values_[name] = std::move(value); }

private:
  std::map<std::string, std::any> values_;
};
}  // namespace edm
