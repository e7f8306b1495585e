// What CMSSW's BoostedJetONNXJetTagsProducer makes of TagInfos with a bundle's preprocess.json and model.onnx.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "DataFormats/BTauReco/interface/DeepBoostedJetTagInfo.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "PhysicsTools/ONNXRuntime/interface/ONNXRuntime.h"

namespace stock {

struct Tags {
  std::vector<std::string> labels;
  // Of each jet, a score a label; 0 for one without features.
  std::vector<std::vector<float>> scores;
};

// Appends one variable, shortened or padded to its length, which is returned.
inline std::size_t append(const std::vector<float>& raw, const nlohmann::json& info, std::size_t shortest,
                          std::size_t longest, std::vector<float>& to) {
  const float median = info.at("median"), factor = info.at("norm_factor"), instead = info.at("replace_inf_value");
  const float low = info.at("lower_bound"), high = info.at("upper_bound");
  const float pad = info.contains("pad") ? info.at("pad").get<float>() : 0.0F;
  if (!(low <= pad && pad <= high))
    throw cms::Exception("stock") << "the padding lies outside the bounds";
  const std::size_t length = std::clamp(raw.size(), shortest, longest);
  for (std::size_t i = 0; i < length; ++i) {
    if (i >= raw.size()) {
      to.push_back(pad);
      continue;
    }
    const bool usable = std::isfinite(raw[i]) && std::abs(raw[i]) <= 1e32F;
    to.push_back(std::clamp(((usable ? raw[i] : instead) - median) * factor, low, high));
  }
  return length;
}

inline Tags tags(const std::string& bundle, const std::vector<reco::DeepBoostedJetTagInfo>& infos) {
  std::ifstream file(bundle + "/preprocess.json");
  const nlohmann::json json = nlohmann::json::parse(file);
  const cms::Ort::ONNXRuntime runtime(bundle + "/model.onnx");
  // Given as a parameter there, as this list says it.
  Tags result{json.at("flav_names").get<std::vector<std::string>>(), {}};
  const auto names = json.at("input_names").get<std::vector<std::string>>();
  for (const auto& info : infos) {
    std::vector<float> scores(result.labels.size(), 0.0F);
    if (!info.features().empty()) {
      cms::Ort::FloatArrays data;
      std::vector<std::vector<std::int64_t>> shapes;
      for (const std::string& name : names) {
        const nlohmann::json& group = json.at(name);
        const auto variables = group.at("var_names").get<std::vector<std::string>>();
        shapes.push_back({1, static_cast<std::int64_t>(variables.size()), -1});
        data.emplace_back();
        for (const std::string& variable : variables)
          shapes.back()[2] = static_cast<std::int64_t>(append(info.features().get(variable),
                                                              group.at("var_infos").at(variable),
                                                              group.at("min_length"), group.at("max_length"),
                                                              data.back()));
      }
      // All outputs, of which the first are the scores.
      scores = runtime.run(names, data, shapes).at(0);
      if (scores.size() != result.labels.size())
        throw cms::Exception("stock") << "as many labels as scores are needed";
    }
    result.scores.push_back(scores);
  }
  return result;
}

}  // namespace stock
