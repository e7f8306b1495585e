#pragma once
// Stand-ins for what the producer uses of CMSSW, each at its own path: the same names and types, none of the code.
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/Framework/interface/stream/EDProducer.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"

namespace edm::standin {
// What a test does with a module of which it has only the name.
struct Plugin {
  std::function<void(ConfigurationDescriptions&)> describe;
  // The job's cache and one stream's module; then event after event.
  std::function<std::function<void(Event&, const EventSetup&)>(const ParameterSet&)> make;
};

inline std::map<std::string, Plugin>& plugins() {
  static std::map<std::string, Plugin> all;
  return all;
}

template <typename Module>
bool define(const std::string& name) {
  plugins()[name] = {&Module::fillDescriptions, [](const ParameterSet& config) {
                       using Cache = typename Module::Cache;
                       std::shared_ptr<Cache> cache(Module::initializeGlobalCache(config).release(), [](Cache* old) {
                         Module::globalEndJob(old);
                         delete old;
                       });
                       auto module = std::make_shared<Module>(config, cache.get());
                       module->setGlobalCache(cache.get());
                       return [cache, module](Event& event, const EventSetup& setup) {
                         static_cast<stream::EDProducer<GlobalCache<Cache>>&>(*module).produce(event, setup);
                       };
                     }};
  return true;
}
}  // namespace edm::standin

#define DEFINE_FWK_MODULE(type) [[maybe_unused]] static const bool defined_##type = edm::standin::define<type>(#type)
