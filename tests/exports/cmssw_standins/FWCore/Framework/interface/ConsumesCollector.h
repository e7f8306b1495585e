#pragma once
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/ESGetToken.h"
#include "FWCore/Utilities/interface/InputTag.h"

namespace edm {
class ConsumesCollector {
public:
  ConsumesCollector() = default;
  ConsumesCollector(const ConsumesCollector&) = delete;
  ConsumesCollector(ConsumesCollector&&) = default;
  template <typename T>
  EDGetTokenT<T> consumes(const InputTag& tag) {
    return EDGetTokenT<T>(tag.encode());
  }
  template <typename T, typename Record>
  ESGetToken<T, Record> esConsumes() {
    return ESGetToken<T, Record>(true);
  }
};
}  // namespace edm
