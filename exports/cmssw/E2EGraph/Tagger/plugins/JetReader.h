// Jets of a collection with the nodes that a bundle's network reads.
#ifndef E2EGraph_Tagger_JetReader_h
#define E2EGraph_Tagger_JetReader_h

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "BundleCache.h"
#include "DataFormats/Common/interface/ValueMap.h"
#include "DataFormats/Common/interface/View.h"
#include "DataFormats/JetReco/interface/Jet.h"
#include "EventReader.h"
#include "FWCore/Framework/interface/ConsumesCollector.h"
#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "e2egraph/bundle.h"

namespace e2egraph::cmssw {

// Value maps of the jets that quantities of the bundle are made from.
inline constexpr std::size_t n_value_maps = 4;

// Whether the network is asked about a jet: it could be made, passed the selection, and has nodes.
inline bool is_scored(const std::optional<Jet>& jet) {
  return jet && jet->cut == Cut::none && !jet->nodes.empty();
}

class JetReader {
public:
  // The cache must outlive it.
  JetReader(const edm::ParameterSet& config, const BundleCache& cache, edm::ConsumesCollector&& collector);

  static void describe(edm::ParameterSetDescription& description);

  // Warns of the value maps that the bundle needs and the configuration leaves empty. Once a job.
  static void warn_of_absent(const edm::ParameterSet& config, const Bundle& bundle);

  const edm::EDGetTokenT<edm::View<reco::Jet>>& jets() const { return jets_; }

  // The jets in the order of the collection; none for one whose quantities are not finite. What is left out is warned
  // of and counted.
  std::vector<std::optional<Jet>> read(const edm::Event& event, const edm::EventSetup& setup,
                                       const edm::View<reco::Jet>& jets) const;

private:
  JetAxis axis(const edm::Event& event, const edm::View<reco::Jet>& jets, std::size_t i) const;

  const BundleCache* cache_;
  edm::EDGetTokenT<edm::View<reco::Jet>> jets_;
  std::array<edm::EDGetTokenT<edm::ValueMap<float>>, n_value_maps> value_maps_;
  EventReader reader_;
};

}  // namespace e2egraph::cmssw

#endif
