#pragma once
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"

namespace edm {
class ConfigurationDescriptions {
public:
  void addWithDefaultLabel(const ParameterSetDescription& added) { description = added; }

  ParameterSetDescription description;
};
}  // namespace edm
