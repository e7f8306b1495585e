#include "JetReader.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "e2egraph/error.h"
#include "e2egraph/events.h"
#include "e2egraph/seed.h"
#include "e2egraph/variables.h"

namespace e2egraph::cmssw {

namespace {

// A value map of the jets, and the quantities that are made from it.
struct ValueMapSource {
  const char* parameter;
  std::array<const char*, 2> quantities;
};

constexpr std::array<ValueMapSource, n_value_maps> sources{{{"softDropMass", {{"softdrop_mass", ""}}},
                                                            {"tau1", {{"tau21", ""}}},
                                                            {"tau2", {{"tau21", "tau32"}}},
                                                            {"tau3", {{"tau32", ""}}}}};

bool is_read(const ValueMapSource& source, const Bundle& bundle) {
  const auto& object = bundle.metadata.inputs.object;
  return std::any_of(source.quantities.begin(), source.quantities.end(),
                     [&](const char* name) { return find(object, name) != nullptr; });
}

// 0 where the denominator is, as in training; what is no number stays none.
float ratio(float numerator, float denominator) {
  return denominator > 0 || std::isnan(denominator) ? numerator / denominator : 0.0F;
}

}  // namespace

JetReader::JetReader(const edm::ParameterSet& config, const BundleCache& cache, edm::ConsumesCollector&& collector)
    : cache_(&cache),
      jets_(collector.consumes<edm::View<reco::Jet>>(config.getParameter<edm::InputTag>("jets"))),
      reader_(config, cache.bundle.metadata, collector) {
  for (std::size_t k = 0; k < sources.size(); ++k) {
    const auto tag = config.getParameter<edm::InputTag>(sources[k].parameter);
    if (is_read(sources[k], cache.bundle) && !tag.label().empty())
      value_maps_[k] = collector.consumes<edm::ValueMap<float>>(tag);
  }
}

void JetReader::describe(edm::ParameterSetDescription& description) {
  description.add<edm::InputTag>("jets", edm::InputTag("ak8PFJetsPuppi"));
  for (const ValueMapSource& source : sources)
    description.add<edm::InputTag>(source.parameter, edm::InputTag())->setComment("value map of the jets; empty: 0");
  EventReader::describe(description);
}

void JetReader::warn_of_absent(const edm::ParameterSet& config, const Bundle& bundle) {
  for (const ValueMapSource& source : sources)
    if (is_read(source, bundle) && config.getParameter<edm::InputTag>(source.parameter).label().empty())
      edm::LogWarning("E2EGraph") << "The bundle reads " << source.parameter
                                  << ", which is not configured and taken as 0.";
}

std::vector<std::optional<Jet>> JetReader::read(const edm::Event& event, const edm::EventSetup& setup,
                                                const edm::View<reco::Jet>& jets) const {
  std::vector<std::optional<Jet>> result(jets.size());
  cache_->counts.add_jets(jets.size());
  if (jets.empty())
    return result;
  guarded([&] {
    const Deposits deposits = reader_.read(event, setup);
    const std::string name = name_of(deposits.event);
    if (deposits.not_finite > 0) {
      cache_->counts.add_not_finite(deposits.not_finite);
      edm::LogWarning("E2EGraph") << "event " << name << ": " << deposits.not_finite
                                  << " deposits hold NaN or infinite values; they are left out, a time alone set to 0.";
    }
    EventJets maker(cache_->bundle, deposits.event);
    for (std::size_t i = 0; i < jets.size(); ++i) {
      JetAxis jet = axis(event, jets, i);
      try {
        const Seed seed = find_seed(deposits.seed_towers, jet.eta, jet.phi);
        jet.seed_ieta = seed.ieta;
        jet.seed_iphi = seed.iphi;
        result[i] = maker.make(jet);
      } catch (const InputError& error) {
        // One bad jet is no reason to end the job.
        cache_->counts.add_unusable();
        edm::LogWarning("E2EGraph") << "jet " << i << " is not scored: " << error.what();
        continue;
      }
      if (result[i]->cut == Cut::none && result[i]->nodes.empty())
        cache_->counts.add_without_nodes();
    }
  });
  return result;
}

JetAxis JetReader::axis(const edm::Event& event, const edm::View<reco::Jet>& jets, std::size_t i) const {
  const reco::Jet& jet = jets[i];
  JetAxis result;
  result.pt = static_cast<float>(jet.pt());
  result.eta = static_cast<float>(jet.eta());
  result.phi = static_cast<float>(jet.phi());
  result.mass = static_cast<float>(jet.mass());
  result.index = static_cast<int>(i);
  const auto value = [&](std::size_t k) {
    return value_maps_[k].isUninitialized() ? 0.0F : event.get(value_maps_[k])[jets.ptrAt(i)];
  };
  result.softdrop_mass = value(0);
  const float tau1 = value(1), tau2 = value(2), tau3 = value(3);
  result.tau21 = ratio(tau2, tau1);
  result.tau32 = ratio(tau3, tau2);
  return result;
}

}  // namespace e2egraph::cmssw
