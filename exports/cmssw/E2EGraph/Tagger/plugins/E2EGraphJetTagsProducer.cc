// What a bundle says of every jet of a collection, from the detector's deposits around it: an edm::ValueMap<float> for
// each class (its probability) and for each predicted quantity (in its unit).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "BundleCache.h"
#include "DataFormats/Common/interface/Handle.h"
#include "DataFormats/Common/interface/ValueMap.h"
#include "DataFormats/Common/interface/View.h"
#include "DataFormats/JetReco/interface/Jet.h"
#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/stream/EDProducer.h"
#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "JetReader.h"
#include "PhysicsTools/ONNXRuntime/interface/ONNXRuntime.h"
#include "e2egraph/file.h"
#include "e2egraph/outputs.h"
#include "e2egraph/sha256.h"
#include "e2egraph/tensors.h"

namespace {

using e2egraph::cmssw::BundleCache;
using e2egraph::cmssw::guarded;
using e2egraph::cmssw::is_scored;
using e2egraph::cmssw::JetReader;

// The bundle and its network.
class TaggerCache : public BundleCache {
public:
  explicit TaggerCache(const edm::ParameterSet& config)
      : BundleCache(config),
        runtime(guarded([&] { return model_path(bundle, config.getParameter<std::string>("variant")); })) {
    check_outputs();
  }

  const cms::Ort::ONNXRuntime runtime;

private:
  static std::string model_path(const e2egraph::Bundle& bundle, const std::string& variant) {
    const e2egraph::ModelFile& model = bundle.model_file(variant);
    const std::string path = bundle.folder + "/" + model.name;
    if (e2egraph::sha256(e2egraph::read_file(path)) != model.sha256)
      throw e2egraph::InputError(path + ": damaged or altered (SHA-256 differs); copy the bundle again.");
    return path;
  }

  // The model gives the tensors that the bundle says, each one number a column.
  void check_outputs() const {
    const std::vector<std::string>& names = runtime.getOutputNames();
    for (const auto& [name, columns] : bundle.metadata.outputs.tensors()) {
      const bool known = std::find(names.begin(), names.end(), name) != names.end();
      const std::vector<std::int64_t> shape = known ? runtime.getOutputShape(name) : std::vector<std::int64_t>();
      if (shape.size() != 2 || shape[1] != static_cast<std::int64_t>(columns))
        throw cms::Exception("E2EGraph") << bundle.folder << ": the model's output '" << name
                                         << "' is not that of metadata.json, " << columns
                                         << " columns; export the run again.";
    }
  }
};

// One value map that the producer makes. `instead`: of a jet that is not scored.
struct Product {
  std::string label;
  float instead;
};

// The columns of all heads in order.
std::vector<Product> products_of(const e2egraph::Outputs& outputs) {
  std::vector<Product> products;
  for (const e2egraph::Head& head : outputs.heads)
    for (const std::string& name : head.columns) {
      const Product product{e2egraph::product_label(name),
                            head.of_classes ? e2egraph::no_score : e2egraph::no_prediction};
      for (const Product& other : products)
        if (other.label == product.label)
          throw cms::Exception("E2EGraph") << "The bundle has two outputs that would be called '" << product.label
                                           << "'; give one another name and train again.";
      products.push_back(product);
    }
  return products;
}

}  // namespace

class E2EGraphJetTagsProducer : public edm::stream::EDProducer<edm::GlobalCache<TaggerCache>> {
public:
  E2EGraphJetTagsProducer(const edm::ParameterSet& config, const TaggerCache* cache);

  static std::unique_ptr<TaggerCache> initializeGlobalCache(const edm::ParameterSet& config);
  static void globalEndJob(const TaggerCache* cache) { cache->counts.report("score -1, prediction NaN"); }
  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);

private:
  // Of each product, a value a jet.
  using Values = std::vector<std::vector<float>>;

  void produce(edm::Event& event, const edm::EventSetup& setup) override;
  void infer(const std::vector<const e2egraph::Jet*>& jets, Values& values) const;

  const JetReader reader_;
  const std::size_t batch_size_;
  const std::vector<Product> products_;
};

E2EGraphJetTagsProducer::E2EGraphJetTagsProducer(const edm::ParameterSet& config, const TaggerCache* cache)
    : reader_(config, *cache, consumesCollector()),
      batch_size_(config.getParameter<unsigned int>("batchSize")),
      products_(products_of(cache->bundle.metadata.outputs)) {
  if (batch_size_ == 0)
    throw cms::Exception("Configuration") << "batchSize must be at least 1.";
  for (const Product& product : products_)
    produces<edm::ValueMap<float>>(product.label);
}

std::unique_ptr<TaggerCache> E2EGraphJetTagsProducer::initializeGlobalCache(const edm::ParameterSet& config) {
  auto cache = std::make_unique<TaggerCache>(config);
  JetReader::warn_of_absent(config, cache->bundle);
  return cache;
}

void E2EGraphJetTagsProducer::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription description;
  BundleCache::describe(description);
  description.add<std::string>("variant", "")->setComment("fp16 or int8 instead of model.onnx, if the bundle has it");
  description.add<unsigned int>("batchSize", 16)->setComment("jets a call of ONNX Runtime, at most");
  JetReader::describe(description);
  descriptions.addWithDefaultLabel(description);
}

void E2EGraphJetTagsProducer::produce(edm::Event& event, const edm::EventSetup& setup) {
  const edm::Handle<edm::View<reco::Jet>> jets = event.getHandle(reader_.jets());
  Values values;
  for (const Product& product : products_)
    values.emplace_back(jets->size(), product.instead);
  const std::vector<std::optional<e2egraph::Jet>> made = reader_.read(event, setup, *jets);
  std::vector<const e2egraph::Jet*> batch;
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (is_scored(made[i]))
      batch.push_back(&*made[i]);
    if (batch.size() == batch_size_ || (i + 1 == made.size() && !batch.empty())) {
      infer(batch, values);
      batch.clear();
    }
  }
  for (std::size_t k = 0; k < products_.size(); ++k) {
    auto map = std::make_unique<edm::ValueMap<float>>();
    edm::ValueMap<float>::Filler filler(*map);
    filler.insert(jets, values[k].begin(), values[k].end());
    filler.fill();
    event.put(std::move(map), products_[k].label);
  }
}

// Fills in the values of these jets. One that gets a number that is not finite keeps what stands for none.
void E2EGraphJetTagsProducer::infer(const std::vector<const e2egraph::Jet*>& jets, Values& values) const {
  const e2egraph::Bundle& bundle = globalCache()->bundle;
  const auto wanted = bundle.metadata.outputs.tensors(false);
  std::vector<std::string> names;
  for (const auto& tensor : wanted)
    names.push_back(tensor.first);
  e2egraph::Tensors tensors = e2egraph::make_tensors(bundle, jets);
  const cms::Ort::FloatArrays outputs = globalCache()->runtime.run(
      tensors.names, tensors.values, tensors.shapes, names, static_cast<std::int64_t>(jets.size()));
  for (std::size_t t = 0; t < wanted.size(); ++t)
    if (outputs.size() != wanted.size() || outputs[t].size() != jets.size() * wanted[t].second)
      throw cms::Exception("E2EGraph") << "The model's output '" << names[t]
                                       << "' is not one number a column; export it again.";
  for (std::size_t b = 0; b < jets.size(); ++b) {
    std::vector<float> found;
    for (std::size_t t = 0; t < wanted.size(); ++t)
      for (std::size_t k = 0; k < wanted[t].second; ++k)
        found.push_back(outputs[t][b * wanted[t].second + k]);
    const auto jet = static_cast<std::size_t>(jets[b]->axis.index);
    if (!std::all_of(found.begin(), found.end(), [](float value) { return std::isfinite(value); })) {
      globalCache()->counts.add_unusable();
      edm::LogWarning("E2EGraph") << "jet " << jet
                                  << " is not scored: its score is not finite; look for absurd values among its "
                                     "deposits.";
      continue;
    }
    for (std::size_t product = 0; product < found.size(); ++product)
      values[product][jet] = found[product];
  }
}

DEFINE_FWK_MODULE(E2EGraphJetTagsProducer);
