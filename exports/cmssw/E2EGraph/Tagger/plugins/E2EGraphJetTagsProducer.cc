// What a bundle says of every jet of a collection, from the detector's deposits around it: an edm::ValueMap<float> for
// each class (its probability) and for each predicted quantity (in its unit).
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "DataFormats/Common/interface/Handle.h"
#include "DataFormats/Common/interface/ValueMap.h"
#include "DataFormats/Common/interface/View.h"
#include "DataFormats/JetReco/interface/Jet.h"
#include "EventReader.h"
#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/stream/EDProducer.h"
#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/FileInPath.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "PhysicsTools/ONNXRuntime/interface/ONNXRuntime.h"
#include "e2egraph/bundle.h"
#include "e2egraph/file.h"
#include "e2egraph/outputs.h"
#include "e2egraph/sha256.h"
#include "e2egraph/tensors.h"

namespace {

// Probability and prediction of a jet that the bundle's selection refuses.
constexpr float refused = -1.0F, not_predicted = std::numeric_limits<float>::quiet_NaN();

// A value map of the jets, and the quantities that are made from it.
struct Substructure {
  const char* parameter;
  std::array<const char*, 2> quantities;
};

constexpr std::array<Substructure, 4> substructure{{{"softDropMass", {{"softdrop_mass", ""}}},
                                                    {"tau1", {{"tau21", ""}}},
                                                    {"tau2", {{"tau21", "tau32"}}},
                                                    {"tau3", {{"tau32", ""}}}}};

// Whether the bundle's network reads a quantity made from this value map.
bool is_read(const Substructure& source, const e2egraph::Bundle& bundle) {
  const auto& object = bundle.metadata.inputs.object;
  return std::any_of(source.quantities.begin(), source.quantities.end(),
                     [&](const char* name) { return e2egraph::find(object, name) != nullptr; });
}

// The library's InputError as a cms::Exception of the category E2EGraph.
template <typename Work>
auto guarded(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const e2egraph::InputError& error) {
    throw cms::Exception("E2EGraph") << error.what();
  }
}

// Read once a job, shared by all streams.
class TaggerCache {
public:
  TaggerCache(const std::string& folder, const std::string& variant)
      : bundle(e2egraph::Bundle::read(folder)), runtime(model_path(bundle, variant)) {}

  const e2egraph::Bundle bundle;
  const cms::Ort::ONNXRuntime runtime;

private:
  static std::string model_path(const e2egraph::Bundle& bundle, const std::string& variant) {
    const e2egraph::ModelFile& model = bundle.model_file(variant);
    const std::string path = bundle.folder + "/" + model.name;
    if (e2egraph::sha256(e2egraph::read_file(path)) != model.sha256)
      throw e2egraph::InputError(path + ": damaged or altered (SHA-256 differs); copy the bundle again.");
    return path;
  }
};

// Names of products must be letters and digits.
std::string label(std::string name) {
  const auto other = [](unsigned char c) { return std::isalnum(c) == 0; };
  name.erase(std::remove_if(name.begin(), name.end(), other), name.end());
  return name;
}

// One value map that the producer makes.
struct Product {
  std::string label;
  float refused;
};

// The columns of all heads in order.
std::vector<Product> products_of(const e2egraph::Outputs& outputs) {
  std::vector<Product> products;
  for (const e2egraph::Head& head : outputs.heads)
    for (const std::string& name : head.columns) {
      const Product product{label(name), head.of_classes ? refused : not_predicted};
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
  static void globalEndJob(const TaggerCache*) {}
  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);

private:
  // Of each product, a value a jet.
  using Values = std::vector<std::vector<float>>;

  void produce(edm::Event& event, const edm::EventSetup& setup) override;
  e2egraph::JetAxis axis(const edm::Event& event, const edm::View<reco::Jet>& jets, std::size_t i) const;
  void infer(const std::vector<const e2egraph::Jet*>& jets, Values& values) const;

  const e2egraph::cmssw::EventReader reader_;
  const edm::EDGetTokenT<edm::View<reco::Jet>> jets_;
  const std::size_t batch_size_;
  const std::vector<Product> products_;
  std::array<edm::EDGetTokenT<edm::ValueMap<float>>, substructure.size()> substructure_;
};

E2EGraphJetTagsProducer::E2EGraphJetTagsProducer(const edm::ParameterSet& config, const TaggerCache* cache)
    : reader_(config, cache->bundle.metadata.nodes, consumesCollector()),
      jets_(consumes<edm::View<reco::Jet>>(config.getParameter<edm::InputTag>("jets"))),
      batch_size_(config.getParameter<unsigned int>("batchSize")),
      products_(products_of(cache->bundle.metadata.outputs)) {
  if (batch_size_ == 0)
    throw cms::Exception("Configuration") << "batchSize must be at least 1.";
  for (std::size_t k = 0; k < substructure.size(); ++k) {
    const auto tag = config.getParameter<edm::InputTag>(substructure[k].parameter);
    if (is_read(substructure[k], cache->bundle) && !tag.label().empty())
      substructure_[k] = consumes<edm::ValueMap<float>>(tag);
  }
  for (const Product& product : products_)
    produces<edm::ValueMap<float>>(product.label);
}

std::unique_ptr<TaggerCache> E2EGraphJetTagsProducer::initializeGlobalCache(const edm::ParameterSet& config) {
  const std::string path = config.getParameter<edm::FileInPath>("bundle").fullPath();
  const auto variant = config.getParameter<std::string>("variant");
  auto cache = guarded([&] { return std::make_unique<TaggerCache>(path.substr(0, path.rfind('/')), variant); });
  for (const Substructure& source : substructure)
    if (is_read(source, cache->bundle) && config.getParameter<edm::InputTag>(source.parameter).label().empty())
      edm::LogWarning("E2EGraph") << "The bundle reads " << source.parameter
                                  << ", which is not configured and taken as 0.";
  return cache;
}

void E2EGraphJetTagsProducer::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription description;
  description.add<edm::FileInPath>("bundle")->setComment("metadata.json of the bundle, its other files next to it");
  description.add<std::string>("variant", "")->setComment("fp16 or int8 instead of model.onnx, if the bundle has it");
  description.add<unsigned int>("batchSize", 16)->setComment("jets a call of ONNX Runtime, at most");
  description.add<edm::InputTag>("jets", edm::InputTag("ak8PFJetsPuppi"));
  for (const Substructure& source : substructure)
    description.add<edm::InputTag>(source.parameter, edm::InputTag())->setComment("value map of the jets; empty: 0");
  e2egraph::cmssw::EventReader::describe(description);
  descriptions.addWithDefaultLabel(description);
}

void E2EGraphJetTagsProducer::produce(edm::Event& event, const edm::EventSetup& setup) {
  const e2egraph::Bundle& bundle = globalCache()->bundle;
  const edm::Handle<edm::View<reco::Jet>> jets = event.getHandle(jets_);
  Values values;
  for (const Product& product : products_)
    values.emplace_back(jets->size(), product.refused);
  if (!jets->empty())
    guarded([&] {
      const e2egraph::cmssw::Deposits deposits = reader_.read(event, setup);
      e2egraph::EventJets maker(bundle, deposits.event);
      std::vector<e2egraph::Jet> made;
      for (std::size_t i = 0; i < jets->size(); ++i) {
        e2egraph::JetAxis jet = axis(event, *jets, i);
        const e2egraph::Seed seed = e2egraph::find_seed(deposits.seed_towers, jet.eta, jet.phi);
        jet.seed_ieta = seed.ieta;
        jet.seed_iphi = seed.iphi;
        made.push_back(maker.make(jet));
      }
      std::vector<const e2egraph::Jet*> batch;
      for (const e2egraph::Jet& jet : made) {
        if (jet.cut == e2egraph::Cut::none)
          batch.push_back(&jet);
        if (batch.size() == batch_size_ || (&jet == &made.back() && !batch.empty())) {
          infer(batch, values);
          batch.clear();
        }
      }
    });
  for (std::size_t k = 0; k < products_.size(); ++k) {
    auto map = std::make_unique<edm::ValueMap<float>>();
    edm::ValueMap<float>::Filler filler(*map);
    filler.insert(jets, values[k].begin(), values[k].end());
    filler.fill();
    event.put(std::move(map), products_[k].label);
  }
}

e2egraph::JetAxis E2EGraphJetTagsProducer::axis(const edm::Event& event, const edm::View<reco::Jet>& jets,
                                                std::size_t i) const {
  const reco::Jet& jet = jets[i];
  e2egraph::JetAxis result;
  result.pt = static_cast<float>(jet.pt());
  result.eta = static_cast<float>(jet.eta());
  result.phi = static_cast<float>(jet.phi());
  result.mass = static_cast<float>(jet.mass());
  result.index = static_cast<int>(i);
  const auto value = [&](std::size_t k) {
    return substructure_[k].isUninitialized() ? 0.0F : event.get(substructure_[k])[jets.ptrAt(i)];
  };
  result.softdrop_mass = value(0);
  const float tau1 = value(1), tau2 = value(2), tau3 = value(3);
  // 0 where the denominator is, as in training.
  result.tau21 = tau1 > 0 ? tau2 / tau1 : 0.0F;
  result.tau32 = tau2 > 0 ? tau3 / tau2 : 0.0F;
  return result;
}

// Fills in the values of these jets.
void E2EGraphJetTagsProducer::infer(const std::vector<const e2egraph::Jet*>& jets, Values& values) const {
  const e2egraph::Bundle& bundle = globalCache()->bundle;
  const auto wanted = bundle.metadata.outputs.tensors(false);
  std::vector<std::string> names;
  for (const auto& tensor : wanted)
    names.push_back(tensor.first);
  e2egraph::Tensors tensors = e2egraph::make_tensors(bundle, jets);
  const cms::Ort::FloatArrays outputs = globalCache()->runtime.run(
      tensors.names, tensors.values, tensors.shapes, names, static_cast<std::int64_t>(jets.size()));
  std::size_t product = 0;
  for (std::size_t t = 0; t < wanted.size(); ++t) {
    const std::size_t columns = wanted[t].second;
    if (outputs.size() != wanted.size() || outputs[t].size() != jets.size() * columns)
      throw cms::Exception("E2EGraph") << "The model's output '" << names[t]
                                       << "' is not one number a column; export it again.";
    for (std::size_t k = 0; k < columns; ++k, ++product)
      for (std::size_t b = 0; b < jets.size(); ++b) {
        const float value = outputs[t][b * columns + k];
        if (!std::isfinite(value))
          throw cms::Exception("E2EGraph") << "The score of jet " << jets[b]->axis.index
                                           << " is not finite; look for absurd values among its deposits.";
        values[product][static_cast<std::size_t>(jets[b]->axis.index)] = value;
      }
  }
}

DEFINE_FWK_MODULE(E2EGraphJetTagsProducer);
