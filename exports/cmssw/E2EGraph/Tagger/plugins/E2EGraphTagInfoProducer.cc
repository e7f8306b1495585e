// The nodes of every jet of a collection as reco::DeepBoostedJetTagInfo, which CMSSW's own BoostedJetONNXJetTagsProducer
// turns into JetTags with the bundle's preprocess.json and model.onnx.
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "BundleCache.h"
#include "DataFormats/BTauReco/interface/DeepBoostedJetTagInfo.h"
#include "DataFormats/Common/interface/Handle.h"
#include "DataFormats/Common/interface/RefToBase.h"
#include "DataFormats/Common/interface/View.h"
#include "DataFormats/JetReco/interface/Jet.h"
#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/stream/EDProducer.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "JetReader.h"
#include "e2egraph/tensors.h"

namespace {

using e2egraph::cmssw::BundleCache;
using e2egraph::cmssw::is_scored;
using e2egraph::cmssw::JetReader;
using Features = btagbtvdeep::DeepBoostedJetFeatures;

// CMSSW's producer takes the model's first output for the classes, and finds variables of all inputs by name alone.
void check_bundle(const e2egraph::Bundle& bundle) {
  if (!bundle.metadata.outputs.heads.front().of_classes)
    throw cms::Exception("Configuration") << bundle.folder
                                          << ": its first output are not probabilities of classes, which JetTags are "
                                             "made of; use E2EGraphJetTagsProducer.";
  std::set<std::string> names;
  for (const e2egraph::InputTensor& tensor : bundle.inputs)
    for (const std::string& name : tensor.group.variables)
      if (!names.insert(name).second)
        throw cms::Exception("Configuration") << bundle.folder << ": two inputs have a variable '" << name
                                              << "', which TagInfos hold once; use E2EGraphJetTagsProducer.";
}

// Every variable of every input, raw; without entries where there is no jet to be scored.
Features features_of(const e2egraph::Bundle& bundle, const std::optional<e2egraph::Jet>& jet) {
  Features features;
  const auto fill = [&](const std::string& name, const auto& row) {
    features.add(name);
    if (!is_scored(jet))
      return;
    const std::vector<float> values = e2egraph::raw_values(row, *jet);
    features.reserve(name, static_cast<unsigned>(values.size()));
    for (const float value : values)
      features.fill(name, value);
  };
  for (const e2egraph::InputTensor& tensor : bundle.inputs) {
    for (const auto& [name, row] : tensor.rows)
      fill(name, row);
    for (const auto& [name, quantity] : tensor.of_jet)
      fill(name, quantity);
  }
  return features;
}

}  // namespace

class E2EGraphTagInfoProducer : public edm::stream::EDProducer<edm::GlobalCache<BundleCache>> {
public:
  E2EGraphTagInfoProducer(const edm::ParameterSet& config, const BundleCache* cache)
      : reader_(config, *cache, consumesCollector()) {
    produces<TagInfos>();
  }

  static std::unique_ptr<BundleCache> initializeGlobalCache(const edm::ParameterSet& config) {
    auto cache = std::make_unique<BundleCache>(config);
    check_bundle(cache->bundle);
    JetReader::warn_of_absent(config, cache->bundle);
    return cache;
  }

  static void globalEndJob(const BundleCache* cache) { cache->counts.report("TagInfo without features"); }

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
    edm::ParameterSetDescription description;
    BundleCache::describe(description);
    JetReader::describe(description);
    descriptions.addWithDefaultLabel(description);
  }

private:
  using TagInfos = std::vector<reco::DeepBoostedJetTagInfo>;

  void produce(edm::Event& event, const edm::EventSetup& setup) override {
    const edm::Handle<edm::View<reco::Jet>> jets = event.getHandle(reader_.jets());
    const std::vector<std::optional<e2egraph::Jet>> made = reader_.read(event, setup, *jets);
    auto infos = std::make_unique<TagInfos>();
    for (std::size_t i = 0; i < made.size(); ++i)
      infos->emplace_back(features_of(globalCache()->bundle, made[i]), edm::RefToBase<reco::Jet>(jets, i));
    event.put(std::move(infos));
  }

  const JetReader reader_;
};

DEFINE_FWK_MODULE(E2EGraphTagInfoProducer);
