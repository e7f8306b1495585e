// metadata.json: which jets and nodes a bundle's network was trained on, what it reads and what it gives.
#ifndef E2EGRAPH_METADATA_H
#define E2EGRAPH_METADATA_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/inputs.h"
#include "e2egraph/json.h"
#include "e2egraph/outputs.h"
#include "e2egraph/reading.h"
#include "e2egraph/selection.h"

namespace e2egraph {

// The bundle schema that this library reads.
inline constexpr int bundle_schema_version = 2;

// A model's file in the bundle, and the SHA-256 it must have.
struct ModelFile {
  std::string name, sha256;
};

struct Metadata {
  std::string model, task;
  // Whether the network reads quantities of the jet.
  bool uses_jet = false;
  Inputs inputs;
  Outputs outputs;
  ModelFile model_file;
  // Forms with smaller weights (fp16, int8), by name.
  std::map<std::string, ModelFile> variants;
  Reading reading;
  ObjectKind kind = ObjectKind::jet;
  // Of jets: which.
  JetSelection jets;
  // Of clusters: which. Events are all taken: their selection is the caller's.
  std::optional<ClusterSelection> clusters;
  NodeDefinition nodes;
  // Of the nodes so made, those that the network is given.
  NodeSelection node_selection;
};

namespace detail {

// Calls use(number, value) for each entry of a map from channels of the bundle.
template <typename Use>
void for_each_channel(const JsonValue& json, const InputChannels& channels, const Use& use) {
  for (const auto& [name, value] : json.items()) {
    const InputChannel* row = channels.find(name);
    if (row == nullptr)
      json.wrong("made of channels that the bundle's inputs name ('" + name + "' is none)");
    use(number(row->channel), value);
  }
}

inline NodeSelection read_node_selection(const JsonValue& json, const InputChannels& channels,
                                         double default_threshold) {
  NodeSelection result;
  result.thresholds.fill(default_threshold);
  if (json.is_set("channels")) {
    result.channels.fill(false);
    const JsonValue names = json.at("channels");
    for (const std::string& name : names.distinct_strings()) {
      const InputChannel* row = channels.find(name);
      if (row == nullptr)
        names.wrong("made of channels that the bundle's inputs name ('" + name + "' is none)");
      result.channels[number(row->channel)] = true;
    }
  }
  if (json.is_set("thresholds"))
    for_each_channel(json.at("thresholds"), channels,
                     [&](std::size_t i, const JsonValue& value) { result.thresholds[i] = value.number(); });
  if (json.is_set("half_window"))
    result.half_window = json.at("half_window").integer(0, most_pixels);
  if (json.is_set("radius"))
    result.radius = json.at("radius").positive();
  if (json.is_set("caps") && !json.at("caps").items().empty()) {
    result.caps = NodeSelection::filled(NodeSelection::no_limit);
    for_each_channel(json.at("caps"), channels, [&](std::size_t i, const JsonValue& value) {
      (*result.caps)[i] = static_cast<std::size_t>(value.integer(1, INT32_MAX));
    });
  }
  if (json.is_set("cap"))
    result.cap = static_cast<std::size_t>(json.at("cap").integer(1, INT32_MAX));
  return result;
}

inline ObjectKind read_kind(const JsonValue& json) {
  const std::string kind = json.at("kind").string();
  for (const ObjectKind known : {ObjectKind::jet, ObjectKind::cluster, ObjectKind::event})
    if (kind == name_of(known))
      return known;
  throw InputError(json.where("kind") + ": this library makes no objects of kind '" + kind +
                   "', jets, clusters and events alone; score this bundle with 'e2egraph predict'.");
}

inline ClusterSelection read_clusters(const JsonValue& json) {
  ClusterSelection clusters;
  clusters.seed_min = json.at("seed_min").positive();
  clusters.et_min = json.at("et_min").number();
  if (json.is_set("et_max"))
    clusters.et_max = json.at("et_max").number();
  clusters.abs_eta_max = json.at("abs_eta_max").number();
  clusters.edge_crystals = json.at("edge_crystals").integer(0, barrel_rows);
  if (json.is_set("isolation")) {
    const JsonValue own = json.at("isolation");
    clusters.isolation = TrackIsolation{own.at("most").number(), own.at("cone").positive(), own.at("veto").number(),
                                        own.at("track_pt").number()};
  }
  return clusters;
}

inline JetSelection read_jets(const JsonValue& json) {
  JetSelection jets;
  jets.pt_min = json.at("pt_min").number();
  if (json.is_set("pt_max"))
    jets.pt_max = json.at("pt_max").number();
  jets.abs_eta_max = json.at("abs_eta_max").number();
  jets.edge_towers = json.at("edge_towers").integer(-hcal_rows, hcal_rows);
  return jets;
}

inline NodeDefinition read_nodes(const JsonValue& json, const Inputs& inputs) {
  json.at("channels").strings();
  json.at("cap").integer(1, INT32_MAX);
  const std::vector<std::string> variables = json.at("variables").strings();
  const auto has = [&](const char* name) {
    return std::find(variables.begin(), variables.end(), name) != variables.end();
  };
  NodeDefinition nodes{inputs.channels, inputs.region, read_node_selection(json, inputs.channels, 0.0)};
  // As e2egraph build-graphs does it: a significance alone, without its displacement, stays.
  const bool suppress = json.at("suppress_displaced").boolean();
  nodes.suppress_d0 = suppress && has("d0");
  nodes.suppress_dz = suppress && has("dz");
  return nodes;
}

inline std::map<std::string, ModelFile> read_variants(const JsonValue& json) {
  std::map<std::string, ModelFile> variants;
  for (const auto& [name, variant] : json.items()) {
    variants[name] = {variant.at("file").string(), variant.at("sha256").string()};
    if (variants[name].name.find('/') != std::string::npos)
      variant.at("file").wrong("the name of a file of the bundle");
  }
  return variants;
}

// Where tensors are described, they must be those that `outputs` gives.
inline void check_output_tensors(const JsonValue& json, const Outputs& outputs) {
  const auto expected = outputs.tensors();
  if (json.items().size() != expected.size())
    json.wrong("the list of the tensors that 'outputs' gives");
  for (const auto& [name, columns] : expected) {
    const std::vector<JsonValue> shape = json.at(name).list();
    if (shape.size() != 2 || static_cast<std::size_t>(shape[1].integer(0, INT32_MAX)) != columns)
      json.at(name).wrong("the shape of one number a column of 'outputs'");
  }
}

}  // namespace detail

// InputError: unreadable, of another schema version, a key missing or of the wrong type, or a bundle that asks for what
// this library does not make, be it a variable, a channel, a region or a kind of object.
inline Metadata read_metadata(const std::string& path) {
  const JsonFile file(path);
  const JsonValue root = file.root();
  if (const int found = root.at("schema_version").integer(0, 1'000'000); found != bundle_schema_version)
    throw InputError(path + ": bundle schema version " + std::to_string(found) + ", but this library reads " +
                     std::to_string(bundle_schema_version) + "; train and export the model again, or use the e2egraph "
                     "that made it.");
  const JsonValue info = root.at("info"), task = info.at("configuration");
  Metadata result;
  result.model = info.at("model").string();
  result.task = info.at("task").string();
  result.uses_jet = root.at("uses_jet").boolean();
  // First, as what it says of regions follows from it.
  result.kind = detail::read_kind(task.at("object"));
  if (result.kind == ObjectKind::cluster)
    result.clusters = detail::read_clusters(task.at("object"));
  if (result.kind == ObjectKind::jet)
    result.jets = detail::read_jets(task.at("object"));
  result.inputs = detail::read_inputs(root.at("inputs"), result.uses_jet, result.kind);
  result.outputs = detail::read_outputs(root.at("outputs"));
  detail::check_output_tensors(root.at("tensors").at("outputs"), result.outputs);
  result.reading = detail::read_reading(info);
  result.model_file = {"model.onnx", root.at("model_sha256").string()};
  result.variants = detail::read_variants(root.at("variants"));
  result.nodes = detail::read_nodes(task.at("inputs"), result.inputs);
  result.node_selection =
      detail::read_node_selection(info.at("node_selection"), result.inputs.channels, -HUGE_VAL);
  return result;
}

}  // namespace e2egraph

#endif
