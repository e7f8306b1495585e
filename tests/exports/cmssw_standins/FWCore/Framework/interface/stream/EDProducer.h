#pragma once
#include <set>
#include <string>

#include "FWCore/Framework/interface/ConsumesCollector.h"
#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/Utilities/interface/Exception.h"

namespace edm {
template <typename Cache>
struct GlobalCache {
  using type = Cache;
};

namespace stream {
template <typename Ability>
class EDProducer {
public:
  using Cache = typename Ability::type;
  virtual ~EDProducer() = default;
  virtual void produce(Event&, const EventSetup&) = 0;
  void setGlobalCache(const Cache* cache) { cache_ = cache; }

protected:
  const Cache* globalCache() const { return cache_; }
  ConsumesCollector consumesCollector() { return {}; }
  template <typename T>
  EDGetTokenT<T> consumes(const InputTag& tag) {
    return EDGetTokenT<T>(tag.encode());
  }
  template <typename T>
  void produces(const std::string& instance = "") {
    if (instance.find('_') != std::string::npos || !instances_.insert(instance).second)
      throw cms::Exception("Product") << "the instance name '" << instance << "' cannot be had";
  }

private:
  const Cache* cache_ = nullptr;
  std::set<std::string> instances_;
};
}  // namespace stream
}  // namespace edm
