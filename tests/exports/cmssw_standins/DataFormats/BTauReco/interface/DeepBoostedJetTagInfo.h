#pragma once
#include "DataFormats/BTauReco/interface/DeepBoostedJetFeatures.h"
#include "DataFormats/BTauReco/interface/FeaturesTagInfo.h"

namespace reco {
using DeepBoostedJetTagInfo = FeaturesTagInfo<btagbtvdeep::DeepBoostedJetFeatures>;
}
