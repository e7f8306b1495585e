// Jets -> the network's input tensors, by preprocess.json: what cms::Ort::ONNXRuntime::run takes as it is.
#ifndef E2EGRAPH_TENSORS_H
#define E2EGRAPH_TENSORS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "e2egraph/bundle.h"
#include "e2egraph/variables.h"

namespace e2egraph {

// One entry an input, in the order of the bundle's inputs: its name, its values [B, variables, L] row-major (channels
// first), and its shape.
struct Tensors {
  std::vector<std::string> names;
  std::vector<std::vector<float>> values;
  std::vector<std::vector<std::int64_t>> shapes;
};

namespace detail {

// Variables of one input of one jet: entries scaled, then `pad` to the length.
template <typename Variable, typename Entry>
void fill(float* out, const InputGroup& group, const Named<Variable>& variables, const Entry* entries,
          std::size_t size, std::size_t length) {
  const std::size_t taken = std::min(size, length);
  for (std::size_t v = 0; v < variables.size(); ++v, out += length) {
    const Scaling& scaling = group.scalings[v];
    for (std::size_t i = 0; i < taken; ++i) {
      if constexpr (std::is_same_v<Variable, NodeVariable>)
        out[i] = scaling(variables[v].second(entries[i]));
      else
        out[i] = scaling(entries[i].*variables[v].second);
    }
    std::fill(out + taken, out + length, scaling.pad);
  }
}

}  // namespace detail

// Jets side by side, padded to the longest of them; at least one.
inline Tensors make_tensors(const Bundle& bundle, const std::vector<const Jet*>& jets) {
  std::size_t most = 0;
  for (const Jet* jet : jets)
    most = std::max(most, jet->nodes.size());
  Tensors result;
  for (const InputGroup& group : bundle.inputs) {
    const std::size_t length = group.length(group.name == "jet" ? 1 : most);
    const std::size_t size = group.variables.size() * length;
    std::vector<float> values(jets.size() * size);
    for (std::size_t b = 0; b < jets.size(); ++b) {
      float* out = values.data() + b * size;
      const Jet& jet = *jets[b];
      if (group.name == "jet")
        detail::fill(out, group, jet_variables(), &jet.axis, 1, length);
      else
        detail::fill(out, group,
                     group.name == "points"     ? point_variables()
                     : group.name == "features" ? feature_variables()
                                                : mask_variables(),
                     jet.nodes.data(), jet.nodes.size(), length);
    }
    result.names.push_back(group.name);
    result.values.push_back(std::move(values));
    result.shapes.push_back({static_cast<std::int64_t>(jets.size()),
                             static_cast<std::int64_t>(group.variables.size()), static_cast<std::int64_t>(length)});
  }
  return result;
}

}  // namespace e2egraph

#endif
