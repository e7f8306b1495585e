// The description of a particle-flow bundle: what its network reads of elements and what it gives, from metadata.json.
#ifndef E2EGRAPH_FLOW_BUNDLE_H
#define E2EGRAPH_FLOW_BUNDLE_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/json.h"
#include "e2egraph/metadata.h"

namespace e2egraph {

struct FlowBundle {
  std::string folder, model, model_sha256;
  // Node variables and channels (name and number in files) in the order of the tensor `features`.
  std::vector<std::string> variables;
  std::vector<std::pair<std::string, std::int32_t>> channels;
  // The classes of particles, the first for none.
  std::vector<std::string> classes;
  // A digest of how the task makes elements, as node files have it.
  std::string elements;
  // Elements that the network reads: the first ones in canonical order.
  std::size_t cap = 0;

  // InputError: no bundle, of another schema version, or no particle flow.
  static FlowBundle read(const std::string& folder) {
    const std::string path = folder + "/metadata.json";
    const JsonFile file(path);
    const JsonValue root = file.root();
    if (const int found = root.at("schema_version").integer(0, 1'000'000); found != bundle_schema_version)
      throw InputError(path + ": bundle schema version " + std::to_string(found) + ", but this library reads " +
                       std::to_string(bundle_schema_version) + "; export the run again.");
    FlowBundle bundle;
    bundle.folder = folder;
    const JsonValue info = root.at("info");
    bundle.model = info.at("model").string();
    bundle.model_sha256 = root.at("model_sha256").string();
    bundle.read_heads(root.at("outputs").at("heads"));
    bundle.cap = static_cast<std::size_t>(info.at("cap").integer(1, INT32_MAX));
    bundle.check_selection(info.at("node_selection"));
    if (!info.is_set("elements"))
      throw InputError(path + ": does not say how its elements are made; export the run again.");
    bundle.elements = info.at("elements").string();
    if (root.at("uses_jet").boolean())
      throw InputError(path + ": its network reads quantities of the event, which a node file does not hold; predict "
                       "with 'e2egraph predict'.");
    for (const JsonValue& variable : root.at("inputs").at("variables").list())
      bundle.variables.push_back(variable.at("name").string());
    for (const JsonValue& channel : root.at("inputs").at("channels").list())
      bundle.channels.emplace_back(channel.at("name").string(), channel.at("number").integer(0, 255));
    for (const char* name : {"value", "energy"})
      if (std::find(bundle.variables.begin(), bundle.variables.end(), name) == bundle.variables.end())
        throw InputError(path + ": its inputs lack " + name + ", which momenta of elements are made of; export the run "
                         "again.");
    return bundle;
  }

private:
  void read_heads(const JsonValue& heads) {
    const std::vector<std::pair<std::string, std::size_t>> expected{
        {"particle", 2}, {"class", 0}, {"momentum", 4}, {"pileup", 1}};
    const std::vector<JsonValue> found = heads.list();
    bool fits = found.size() == expected.size();
    for (std::size_t i = 0; fits && i < found.size(); ++i) {
      const std::vector<std::string> columns = found[i].at("columns").strings();
      fits = found[i].at("name").string() == expected[i].first && found[i].at("level").string() == "node" &&
             (expected[i].second == 0 ? columns.size() > 1 : columns.size() == expected[i].second);
      if (fits && expected[i].second == 0)
        classes = columns;
    }
    if (!fits)
      throw InputError(folder + ": gives no particles; give a bundle of a task with objective nodes, or score this one "
                       "with e2e_infer.");
  }

  // Elements come as the task made them; a run that took some of them alone is not repeated here.
  void check_selection(const JsonValue& selection) const {
    for (const auto& [name, value] : selection.items())
      if (name != "cap" && selection.is_set(name) && !(name == "thresholds" || name == "caps"))
        value.wrong("null: this library gives a network all elements of its task; predict with 'e2egraph predict'");
      else if ((name == "thresholds" || name == "caps") && selection.is_set(name) && !value.items().empty())
        value.wrong("empty: this library gives a network all elements of its task; predict with 'e2egraph predict'");
  }
};

}  // namespace e2egraph

#endif
