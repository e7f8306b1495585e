// preprocess.json, in the schema and with the meaning of CMSSW's RecoBTag/FeatureTools/src/deep_helpers.cc.
#ifndef E2EGRAPH_PREPROCESS_H
#define E2EGRAPH_PREPROCESS_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/json.h"

namespace e2egraph {

// deep_helpers.cc takes anything beyond this for infinite.
inline constexpr float infinite_beyond = 1e32F;

// Nodes a jet at most that any bundle may ask for; more is damage, and would exhaust the memory.
inline constexpr int longest_input = 65536;

// What is done to one variable. `pad` is put in raw where a jet has no more entries.
struct Scaling {
  float median = 0, norm_factor = 1, replace_inf_value = 0, lower_bound = 0, upper_bound = 0, pad = 0;

  float operator()(float value) const {
    // The comparison is false for NaN.
    const float finite = std::abs(value) <= infinite_beyond ? value : replace_inf_value;
    return std::clamp((finite - median) * norm_factor, lower_bound, upper_bound);
  }
};

// One input of the network: its variables in order, and how many entries a jet has of each.
struct InputGroup {
  std::string name;
  std::vector<std::string> variables;
  std::vector<Scaling> scalings;
  std::size_t min_length = 0, max_length = 0;

  std::size_t length(std::size_t entries) const { return std::clamp(entries, min_length, max_length); }
};

namespace detail {

inline InputGroup read_group(const std::string& name, const JsonValue& json) {
  InputGroup group;
  group.name = name;
  group.variables = json.at("var_names").strings();
  if (json.has("var_length")) {
    group.min_length = group.max_length = static_cast<std::size_t>(json.at("var_length").integer(1, longest_input));
  } else {
    const int most = json.at("max_length").integer(1, longest_input);
    group.max_length = static_cast<std::size_t>(most);
    group.min_length = static_cast<std::size_t>(json.at("min_length").integer(0, most));
  }
  const JsonValue infos = json.at("var_infos");
  for (const std::string& variable : group.variables) {
    const JsonValue info = infos.at(variable);
    Scaling scaling;
    scaling.median = info.at("median").float32();
    scaling.norm_factor = info.at("norm_factor").float32();
    scaling.replace_inf_value = info.at("replace_inf_value").float32();
    scaling.lower_bound = info.at("lower_bound").float32();
    scaling.upper_bound = info.at("upper_bound").float32();
    scaling.pad = info.has("pad") ? info.at("pad").float32() : 0.0F;
    if (scaling.lower_bound > scaling.upper_bound)
      info.at("lower_bound").wrong("below upper_bound");
    group.scalings.push_back(scaling);
  }
  return group;
}

}  // namespace detail

// The inputs in the order of input_names, and the outputs that are asked for. `labels`: of the classes, in the order of
// the first output (flav_names); empty where they are not listed.
struct Preprocessing {
  std::vector<InputGroup> inputs;
  std::vector<std::string> outputs, labels;
};

// InputError: unreadable, a key missing or of the wrong type.
inline Preprocessing read_preprocess(const std::string& path) {
  const JsonFile file(path);
  const JsonValue root = file.root();
  Preprocessing result;
  result.outputs = root.at("output_names").strings();
  if (root.has("flav_names"))
    result.labels = root.at("flav_names").strings();
  for (const std::string& name : root.at("input_names").strings())
    result.inputs.push_back(detail::read_group(name, root.at(name)));
  return result;
}

}  // namespace e2egraph

#endif
