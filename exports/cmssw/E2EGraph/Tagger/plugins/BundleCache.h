// The bundle of a producer, read once a job and shared by all streams.
#ifndef E2EGraph_Tagger_BundleCache_h
#define E2EGraph_Tagger_BundleCache_h

#include <string>

// Where edm::FileInPath is since CMSSW 12_0; later releases have it there alone.
#if __has_include("FWCore/Utilities/interface/FileInPath.h")
#include "FWCore/Utilities/interface/FileInPath.h"
#else
#include "FWCore/ParameterSet/interface/FileInPath.h"
#endif
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "JobCounts.h"
#include "e2egraph/bundle.h"
#include "e2egraph/error.h"

namespace e2egraph::cmssw {

// The library's InputError as a cms::Exception of the category E2EGraph.
template <typename Work>
auto guarded(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const InputError& error) {
    throw cms::Exception("E2EGraph") << error.what();
  }
}

struct BundleCache {
  // cms::Exception: the bundle is damaged, or not of jets.
  explicit BundleCache(const edm::ParameterSet& config) : bundle(guarded([&] {
    const std::string path = config.getParameter<edm::FileInPath>("bundle").fullPath();
    Bundle read = Bundle::read(path.substr(0, path.rfind('/')));
    if (read.metadata.kind != ObjectKind::jet)
      throw InputError(path + ": made for objects of kind " + name_of(read.metadata.kind) + ", but these modules tag jets; give a bundle of jets, or "
                       "score this one with 'e2egraph predict' or e2e_infer.");
    return read;
  })) {}

  static void describe(edm::ParameterSetDescription& description) {
    description.add<edm::FileInPath>("bundle")->setComment("metadata.json of the bundle, its other files next to it");
  }

  const Bundle bundle;
  const JobCounts counts;
};

}  // namespace e2egraph::cmssw

#endif
