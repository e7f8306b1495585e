#pragma once
#include "DataFormats/Common/interface/RefToBase.h"
#include "DataFormats/JetReco/interface/Jet.h"

namespace reco {
template <typename Features>
class FeaturesTagInfo {
public:
  FeaturesTagInfo() = default;
  FeaturesTagInfo(const Features& features, const edm::RefToBase<Jet>& jet) : features_(features), jet_(jet) {}
  virtual ~FeaturesTagInfo() = default;
  virtual edm::RefToBase<Jet> jet() const { return jet_; }
  const Features& features() const { return features_; }

private:
  Features features_;
  edm::RefToBase<Jet> jet_;
};
}  // namespace reco
