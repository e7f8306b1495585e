#pragma once
#include <any>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "DataFormats/Common/interface/Handle.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/Exception.h"

namespace edm {
class EventID {
public:
  unsigned int run() const { return 1; }
  unsigned int luminosityBlock() const { return 2; }
  std::uint64_t event() const { return 3; }
};

class Event {
public:
  EventID id() const { return {}; }
  template <typename T>
  const T& get(const EDGetTokenT<T>& token) const {
    return *getHandle(token);
  }
  template <typename T>
  Handle<T> getHandle(const EDGetTokenT<T>& token) const {
    const auto found = products_.find(token.tag());
    const auto* product = found == products_.end() ? nullptr : std::any_cast<std::shared_ptr<T>>(&found->second);
    if (token.isUninitialized() || product == nullptr)
      throw cms::Exception("ProductNotFound") << "nothing of that type at '" << token.tag() << "'";
    return Handle<T>(product->get());
  }
  template <typename T>
  void put(std::unique_ptr<T> product, const std::string& instance = "") {
    products_["module:" + instance] = std::shared_ptr<T>(std::move(product));
  }
  template <typename T>
  void add(const std::string& tag, T product) {
    products_[tag] = std::make_shared<T>(std::move(product));
  }

private:
  std::map<std::string, std::any> products_;
};
}  // namespace edm
