// trackDirection and seedDepth: as the bundle says, or as the configuration does where that is silent.
#ifndef E2EGraph_Tagger_ReadingSettings_h
#define E2EGraph_Tagger_ReadingSettings_h

#include <optional>
#include <string>

#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "e2egraph/reading.h"

namespace e2egraph::cmssw {

// seedDepth where the bundle decides.
inline constexpr int as_bundle = -1;

// What the bundle says of how its training files were read, which a parameter may repeat and not contradict; what the
// parameter says where the bundle is silent.
template <typename Value, typename Words>
Value as_trained(const char* parameter, const std::optional<Value>& trained, const std::optional<Value>& given,
                 const char* choices, const Words& in_words) {
  if (trained && given && *trained != *given)
    throw cms::Exception("Configuration") << parameter << " is " << in_words(*given)
                                          << ", but the bundle's network was trained with " << in_words(*trained)
                                          << "; leave the parameter at its default.";
  if (!trained && !given)
    throw cms::Exception("Configuration") << "The bundle does not say which " << parameter
                                          << " its training files had; set it to " << choices
                                          << ", or export the run again with that.";
  return trained ? *trained : *given;
}

inline TrackDirection direction_of(const edm::ParameterSet& config, const Reading& reading) {
  constexpr const char* choices = "ecal_point, ecal_momentum or vertex";
  const auto text = config.getParameter<std::string>("trackDirection");
  const std::optional<TrackDirection> given = track_direction_of(text);
  if (!text.empty() && !given)
    throw cms::Exception("Configuration") << "trackDirection is '" << text << "'; give " << choices
                                          << ", or leave it empty.";
  return as_trained("trackDirection", reading.track_direction, given, choices,
                    [](TrackDirection value) { return name_of(value); });
}

inline int depth_of(const edm::ParameterSet& config, const Reading& reading) {
  const int depth = config.getParameter<int>("seedDepth");
  if (depth < as_bundle || depth > deepest)
    throw cms::Exception("Configuration") << "seedDepth is " << depth << "; give 0 (depths summed) to " << deepest
                                          << ", or leave it at " << as_bundle << ".";
  return as_trained("seedDepth", reading.seed_depth, depth == as_bundle ? std::nullopt : std::optional<int>(depth),
                    "0 (depths summed) or a depth", [](int value) { return std::to_string(value); });
}

}  // namespace e2egraph::cmssw

#endif
