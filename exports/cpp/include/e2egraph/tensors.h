// Jets -> the network's input tensors, by preprocess.json: what cms::Ort::ONNXRuntime::run takes as it is.
#ifndef E2EGRAPH_TENSORS_H
#define E2EGRAPH_TENSORS_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "e2egraph/bundle.h"
#include "e2egraph/inputs.h"
#include "e2egraph/preprocess.h"

namespace e2egraph {

// One entry an input, in the order of the bundle's inputs: its name, its values [B, variables, L] row-major (channels
// first), and its shape.
struct Tensors {
  std::vector<std::string> names;
  std::vector<std::vector<float>> values;
  std::vector<std::vector<std::int64_t>> shapes;
};

// Every entry that a jet has of one row of an input, raw: of its nodes, or the one of the jet itself.
inline std::vector<float> raw_values(const NodeVariable& row, const Jet& jet) {
  std::vector<float> values;
  values.reserve(jet.nodes.size());
  for (std::size_t i = 0; i < jet.nodes.size(); ++i) {
    const Node& node = jet.nodes[i];
    if (row.kind == NodeVariable::Kind::member)
      values.push_back(node.*row.member);
    else if (row.kind == NodeVariable::Kind::extra)
      values.push_back(jet.extra[row.extra * jet.nodes.size() + i]);
    else
      values.push_back(row.kind == NodeVariable::Kind::one || node.channel == row.channel ? 1.0F : 0.0F);
  }
  return values;
}

inline std::vector<float> raw_values(float JetAxis::*quantity, const Jet& jet) { return {jet.axis.*quantity}; }

namespace detail {

// One row: the value of each of `taken` entries, scaled, then `pad` to the length.
template <typename Value>
void fill(float* out, const Scaling& scaling, std::size_t taken, std::size_t length, const Value& value) {
  for (std::size_t i = 0; i < taken; ++i)
    out[i] = scaling(value(i));
  std::fill(out + taken, out + length, scaling.pad);
}

// One row over the nodes of a jet.
inline void fill_nodes(float* out, const Scaling& scaling, const NodeVariable& row, const Jet& jet,
                       std::size_t length) {
  using Kind = NodeVariable::Kind;
  const std::size_t taken = std::min(jet.nodes.size(), length);
  const Node* nodes = jet.nodes.data();
  if (row.kind == Kind::member)
    fill(out, scaling, taken, length, [nodes, member = row.member](std::size_t i) { return nodes[i].*member; });
  else if (row.kind == Kind::flag)
    fill(out, scaling, taken, length,
         [nodes, channel = row.channel](std::size_t i) { return nodes[i].channel == channel ? 1.0F : 0.0F; });
  else if (row.kind == Kind::extra)
    fill(out, scaling, taken, length,
         [values = jet.extra.data() + row.extra * jet.nodes.size()](std::size_t i) { return values[i]; });
  else
    fill(out, scaling, taken, length, [](std::size_t) { return 1.0F; });
}

}  // namespace detail

// Jets side by side, padded to the longest of them; at least one.
inline Tensors make_tensors(const Bundle& bundle, const std::vector<const Jet*>& jets) {
  std::size_t most = 0;
  for (const Jet* jet : jets)
    most = std::max(most, jet->nodes.size());
  Tensors result;
  for (const InputTensor& tensor : bundle.inputs) {
    const InputGroup& group = tensor.group;
    const std::size_t length = group.length(group.name == "jet" ? 1 : most);
    std::vector<float> values(jets.size() * group.variables.size() * length);
    float* out = values.data();
    for (const Jet* jet : jets) {
      std::size_t number = 0;
      for (const auto& row : tensor.rows) {
        detail::fill_nodes(out, group.scalings[number++], row.second, *jet, length);
        out += length;
      }
      for (const auto& row : tensor.of_jet) {
        detail::fill(out, group.scalings[number++], 1, length, [&](std::size_t) { return jet->axis.*row.second; });
        out += length;
      }
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
