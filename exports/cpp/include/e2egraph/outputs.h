// What a network gives, as the `outputs` of metadata.json say: heads with their columns, units and tensors.
#ifndef E2EGRAPH_OUTPUTS_H
#define E2EGRAPH_OUTPUTS_H

#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/json.h"

namespace e2egraph {

// The probability of each class, and the prediction, of a jet that has none.
inline constexpr float no_score = -1.0F, no_prediction = std::numeric_limits<float>::quiet_NaN();

// A name as CMSSW's products may have it: its letters and digits.
inline std::string product_label(const std::string& name) {
  std::string label;
  for (const char c : name)
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
      label += c;
  return label;
}

// Columns that belong together: probabilities of classes, or quantities in physical units (empty for none).
struct Head {
  std::string name;
  std::vector<std::string> columns, units;
  bool of_classes = false;
  // The tensor of the model that holds what is asked for.
  std::string tensor;

  // Tensors of the model that hold it, the one that is asked for first.
  std::vector<std::string> tensors() const {
    return of_classes ? std::vector<std::string>{tensor, "logits"} : std::vector<std::string>{tensor};
  }
};

// At most one head of classes and one of quantities.
struct Outputs {
  std::vector<Head> heads;

  // nullptr: no such head.
  const Head* classes() const { return head(true); }
  const Head* quantities() const { return head(false); }

  // Tensor -> its columns, all of them or the first of each head.
  std::vector<std::pair<std::string, std::size_t>> tensors(bool all = true) const {
    std::vector<std::pair<std::string, std::size_t>> result;
    for (const Head& head : heads)
      for (const std::string& name : head.tensors()) {
        result.emplace_back(name, head.columns.size());
        if (!all)
          break;
      }
    return result;
  }

private:
  const Head* head(bool of_classes) const {
    for (const Head& head : heads)
      if (head.of_classes == of_classes)
        return &head;
    return nullptr;
  }
};

namespace detail {

inline Head read_head(const JsonValue& json) {
  Head head;
  head.name = json.at("name").string();
  head.columns = json.at("columns").distinct_strings();
  if (head.columns.empty())
    json.at("columns").wrong("a list of at least one name");
  const std::string level = json.at("level").string(), activation = json.at("activation").string();
  if (level == "node")
    throw InputError(json.where("level") + ": this library reads networks that give numbers of objects, not of nodes; "
                     "give this bundle to e2e_flow or 'e2egraph predict'.");
  if (level != "object")
    json.at("level").wrong("object or node");
  if (activation != "softmax" && activation != "none")
    json.at("activation").wrong("softmax or none");
  head.of_classes = activation == "softmax";
  // Bundles that do not name it call it by its activation.
  head.tensor = json.is_set("tensor") ? json.at("tensor").string() : head.of_classes ? "softmax" : "prediction";
  head.units = json.at("units").strings();
  if (head.units.empty())
    head.units.resize(head.columns.size());
  if (head.units.size() != head.columns.size())
    json.at("units").wrong("one unit a column");
  return head;
}

inline Outputs read_outputs(const JsonValue& json) {
  Outputs outputs;
  for (const JsonValue& entry : json.at("heads").list()) {
    Head head = read_head(entry);
    if ((head.of_classes ? outputs.classes() : outputs.quantities()) != nullptr)
      entry.wrong("a head with tensors of its own");
    outputs.heads.push_back(std::move(head));
  }
  if (outputs.heads.empty())
    json.at("heads").wrong("a list of at least one head");
  return outputs;
}

}  // namespace detail

}  // namespace e2egraph

#endif
