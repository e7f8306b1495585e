// What a network reads, as the `inputs` of metadata.json say: variables and channels by name, and the region.
#ifndef E2EGRAPH_INPUTS_H
#define E2EGRAPH_INPUTS_H

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "e2egraph/channels.h"
#include "e2egraph/crystal_energies.h"
#include "e2egraph/error.h"
#include "e2egraph/json.h"
#include "e2egraph/region.h"
#include "e2egraph/variables.h"

namespace e2egraph {

// What one example is.
enum class ObjectKind { jet, cluster, event };

inline std::string name_of(ObjectKind kind) {
  return kind == ObjectKind::event ? "event" : kind == ObjectKind::cluster ? "cluster" : "jet";
}

// One row of a tensor over a jet's nodes: a member of the node, the registered variable of index `extra`, the flag of a
// channel, or 1 for every node.
struct NodeVariable {
  enum class Kind { member, extra, flag, one } kind = Kind::one;
  float Node::*member = nullptr;
  std::size_t extra = 0;
  Channel channel = Channel::TRACK;
};

struct Inputs {
  // Names of the variables of nodes, in order, and where each is.
  Named<NodeVariable> variables;
  InputChannels channels;
  // Quantities of the jet, in order; empty where the network reads none.
  Named<float JetAxis::*> object;
  Region region;
  // The registered ones among `variables`, in their order.
  Named<VariableFunction> extra;

  // Rows of the tensor `features`: the variables, then one flag a channel.
  Named<NodeVariable> features() const {
    Named<NodeVariable> rows = variables;
    for (const InputChannel& channel : channels.rows())
      rows.push_back({"is_" + channel.name, {NodeVariable::Kind::flag, nullptr, 0, channel.channel}});
    return rows;
  }

  // Rows of the tensor `points`.
  static Named<NodeVariable> points() {
    return {{"deta", {NodeVariable::Kind::member, &Node::deta, 0, Channel::TRACK}},
            {"dphi", {NodeVariable::Kind::member, &Node::dphi, 0, Channel::TRACK}}};
  }

  // The row of the tensor `mask`.
  static Named<NodeVariable> mask() { return {{"mask", {}}}; }
};

namespace detail {

// Pixels along one side of a region at most; more is damage.
inline constexpr int most_pixels = 100'000;

inline InputChannel read_channel(const JsonValue& json) {
  InputChannel row;
  row.name = json.at("name").string();
  row.channel = static_cast<Channel>(json.at("number").integer(0, static_cast<int>(n_channels) - 1));
  const std::string collection = json.at("collection").string();
  const auto found = collection_of(collection);
  if (!found)
    throw InputError(json.where("collection") + ": channel " + row.name + " is made of '" + collection +
                     "', but this library makes nodes of tracks, hits, ecal and hcal alone; score this bundle with "
                     "'e2egraph predict'.");
  row.collection = *found;
  if (json.is_set("cms")) {
    const std::vector<JsonValue> pair = json.at("cms").list();
    if (pair.size() != 2)
      json.at("cms").wrong("a subdetector and a layer");
    row.cms = Layer{pair[0].integer(0, 255), pair[1].integer(0, 255)};
  } else if (row.collection == Collection::hits) {
    for (const KnownLayer& known : known_layers)
      if (known.name == row.name)
        row.cms = known.cms;
  }
  return row;
}

inline InputChannels read_channels(const JsonValue& json) {
  std::vector<InputChannel> rows;
  for (const JsonValue& entry : json.list()) {
    InputChannel row = read_channel(entry);
    for (const InputChannel& other : rows) {
      if (other.name == row.name || other.channel == row.channel)
        entry.wrong("a channel with a name and a number of its own");
      if (other.collection == row.collection && row.collection != Collection::hits)
        entry.wrong("the only channel of its collection, as all but those of hits must be");
    }
    rows.push_back(std::move(row));
  }
  if (rows.empty())
    json.wrong("a list of at least one channel");
  return InputChannels(std::move(rows));
}

// Regions of jets lie around towers, those of clusters around crystals, and events have the whole detector.
inline Region read_region(const JsonValue& json, ObjectKind kind) {
  const std::string centre = json.at("centre").string();
  const std::string usual = kind == ObjectKind::event ? "none" : kind == ObjectKind::cluster ? "crystal" : "tower";
  if (centre != usual)
    json.at("centre").wrong(usual + ", as regions of these objects have");
  Region region;
  region.whole = kind == ObjectKind::event;
  region.rows = json.at("rows").integer(1, most_pixels);
  region.columns = json.at("columns").integer(1, most_pixels);
  region.eta_pitch = json.at("eta_pitch").positive();
  region.phi_pitch = json.at("phi_pitch").positive();
  region.periodic = json.at("periodic").boolean();
  region.lattice = json.at("lattice").boolean();
  return region;
}

inline void read_variables(const JsonValue& json, Inputs& inputs) {
  for (const JsonValue& entry : json.list()) {
    const std::string name = entry.at("name").string();
    if (find(inputs.variables, name) != nullptr)
      entry.wrong("a variable with a name of its own");
    NodeVariable variable;
    if (const auto* member = find(node_variables(), name)) {
      variable = {NodeVariable::Kind::member, *member, 0, Channel::TRACK};
    } else if (const auto found = registered_variables().find(name); found != registered_variables().end()) {
      variable = {NodeVariable::Kind::extra, nullptr, inputs.extra.size(), Channel::TRACK};
      inputs.extra.push_back(*found);
    } else {
      throw InputError(entry.where("name") + ": unknown variable '" + name + "' (known are " +
                       names_of(node_variables()) + "); add it with e2egraph::register_variable(\"" + name +
                       "\", function), as exports/cpp/README.md shows.");
    }
    inputs.variables.emplace_back(name, variable);
  }
}

inline void read_object(const JsonValue& json, Inputs& inputs, ObjectKind kind) {
  static const Named<float JetAxis::*> none;
  const auto& known =
      kind == ObjectKind::event ? none : kind == ObjectKind::cluster ? cluster_quantities() : jet_quantities();
  for (const JsonValue& entry : json.list()) {
    const std::string name = entry.at("name").string();
    const auto* member = find(known, name);
    if (member == nullptr)
      throw InputError(entry.where("name") + ": this library knows no quantity '" + name + "' of a " +
                       name_of(kind) + " (known are " + names_of(known) + "); score this bundle with 'e2egraph predict'.");
    if (find(inputs.object, name) != nullptr)
      entry.wrong("a quantity with a name of its own");
    inputs.object.emplace_back(name, *member);
  }
}

// `uses_jet`: whether the network reads quantities of the object.
inline Inputs read_inputs(const JsonValue& json, bool uses_jet, ObjectKind kind) {
  Inputs inputs;
  read_variables(json.at("variables"), inputs);
  inputs.channels = read_channels(json.at("channels"));
  if (uses_jet)
    read_object(json.at("object"), inputs, kind);
  inputs.region = read_region(json.at("region"), kind);
  return inputs;
}

}  // namespace detail

}  // namespace e2egraph

#endif
