// metadata.json: which jets and nodes a bundle's network was trained on, its classes and its inputs.
#ifndef E2EGRAPH_METADATA_H
#define E2EGRAPH_METADATA_H

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/json.h"
#include "e2egraph/selection.h"
#include "e2egraph/variables.h"

namespace e2egraph {

// The bundle schema that this library reads.
inline constexpr int bundle_schema_version = 1;

// A model's file in the bundle, and the SHA-256 it must have.
struct ModelFile {
  std::string name, sha256;
};

struct Metadata {
  std::string model, task, signal;
  std::vector<std::string> classes;
  bool uses_jet = false;
  ModelFile model_file;
  // Forms with smaller weights (fp16, int8), by name.
  std::map<std::string, ModelFile> variants;
  JetSelection jets;
  NodeDefinition nodes;
  // Of the nodes so made, those that the network is given.
  NodeSelection node_selection;
};

namespace detail {

inline NodeSelection read_node_selection(const JsonValue& json, double default_threshold) {
  NodeSelection result;
  result.thresholds.fill(default_threshold);
  const auto known = [](const JsonValue& where, const std::string& name) {
    const auto channel = channel_of(name);
    if (!channel)
      where.wrong("made of channels that this e2egraph knows ('" + name + "' is none)");
    return number(*channel);
  };
  if (json.is_set("channels")) {
    result.channels.fill(false);
    for (const std::string& name : json.at("channels").strings())
      result.channels[known(json.at("channels"), name)] = true;
  }
  if (json.is_set("thresholds"))
    for (const auto& [name, value] : json.at("thresholds").items())
      result.thresholds[known(json.at("thresholds"), name)] = value.number();
  if (json.is_set("half_window"))
    result.half_window = json.at("half_window").integer(0, window_half_width);
  if (json.is_set("radius"))
    result.radius = json.at("radius").number();
  return result;
}

inline void require_names(const JsonValue& json, const std::vector<std::string>& expected) {
  if (json.strings() != expected)
    json.wrong("the list of variables, in order, that this e2egraph makes");
}

}  // namespace detail

// InputError: unreadable, of another schema version, a key missing or of the wrong type, other variables.
inline Metadata read_metadata(const std::string& path) {
  const JsonFile file(path);
  const JsonValue root = file.root(), version = root.at("schema_version");
  if (const int found = version.integer(0, 1'000'000); found != bundle_schema_version)
    throw InputError(path + ": bundle schema version " + std::to_string(found) + ", but this library reads " +
                     std::to_string(bundle_schema_version) +
                     "; use the e2egraph that made it, or export the run again.");
  const JsonValue info = root.at("info"), task = info.at("configuration"), nodes = task.at("nodes"),
                  selection = task.at("selection");
  Metadata result;
  result.model = info.at("model").string();
  result.task = info.at("task").string();
  result.signal = info.at("signal").string();
  result.classes = info.at("classes").strings();
  if (result.classes.empty())
    info.at("classes").wrong("a list of at least one class");
  result.uses_jet = root.at("uses_jet").boolean();
  result.model_file = {"model.onnx", root.at("model_sha256").string()};
  if (root.is_set("variants"))
    for (const auto& [name, variant] : root.at("variants").items()) {
      result.variants[name] = {variant.at("file").string(), variant.at("sha256").string()};
      if (result.variants[name].name.find('/') != std::string::npos)
        variant.at("file").wrong("the name of a file of the bundle");
    }
  detail::require_names(root.at("points"), names_of(point_variables()));
  detail::require_names(root.at("features"), names_of(feature_variables()));
  detail::require_names(root.at("jet_variables"),
                        result.uses_jet ? names_of(jet_variables()) : std::vector<std::string>());
  result.jets.pt_min = selection.at("jet_pt_min").number();
  if (selection.is_set("jet_pt_max"))
    result.jets.pt_max = selection.at("jet_pt_max").number();
  result.jets.abs_eta_max = selection.at("jet_abs_eta_max").number();
  result.jets.seed_edge_towers = selection.at("seed_edge_towers").integer(-hcal_rows, hcal_rows);
  nodes.at("channels").strings();
  result.nodes.selection = detail::read_node_selection(nodes, 0.0);
  result.nodes.cap = static_cast<std::size_t>(nodes.at("cap").integer(1, INT32_MAX));
  result.nodes.suppress_displaced = nodes.at("suppress_displaced").boolean();
  // Bundles of before it existed select nothing.
  if (info.is_set("node_selection"))
    result.node_selection = detail::read_node_selection(info.at("node_selection"), -HUGE_VAL);
  return result;
}

}  // namespace e2egraph

#endif
