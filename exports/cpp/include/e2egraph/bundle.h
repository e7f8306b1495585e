// A bundle's description without its network: metadata.json and preprocess.json, checked against each other.
#ifndef E2EGRAPH_BUNDLE_H
#define E2EGRAPH_BUNDLE_H

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/events.h"
#include "e2egraph/metadata.h"
#include "e2egraph/nodes.h"
#include "e2egraph/preprocess.h"
#include "e2egraph/seed.h"

namespace e2egraph {

// One jet, ready for the network. `nodes` is empty unless `cut` is none; `nodes_cut`: those that the task's cap and the
// network's length left out.
struct Jet {
  JetAxis axis;
  Seed seed;
  Cut cut = Cut::none;
  std::vector<Node> nodes;
  std::size_t nodes_cut = 0;
};

struct Bundle {
  std::string folder;
  Metadata metadata;
  std::vector<InputGroup> inputs;

  // InputError: a file missing, unreadable, or at odds with the other.
  static Bundle read(const std::string& folder) {
    Bundle bundle{folder, read_metadata(folder + "/metadata.json"), read_preprocess(folder + "/preprocess.json")};
    bundle.check_inputs();
    return bundle;
  }

  const std::vector<std::string>& classes() const { return metadata.classes; }

  // The file of a variant, or model.onnx for none; InputError where there is no such variant.
  const ModelFile& model_file(const std::string& variant) const {
    if (variant.empty())
      return metadata.model_file;
    const auto found = metadata.variants.find(variant);
    if (found == metadata.variants.end())
      throw InputError(folder + ": holds no " + variant + " variant; export the run with --" + variant + ".");
    return found->second;
  }

  // Nodes of a jet that the network reads: the first ones in canonical order.
  std::size_t max_nodes() const { return input("points").max_length; }

  const InputGroup& input(const std::string& name) const {
    for (const InputGroup& group : inputs)
      if (group.name == name)
        return group;
    throw InputError(preprocess_path() + ": '" + name + "' is not among input_names; export the run again.");
  }

private:
  std::string preprocess_path() const { return folder + "/preprocess.json"; }

  void check_inputs() const {
    check_variables("points", names_of(point_variables()));
    check_variables("features", names_of(feature_variables()));
    check_variables("mask", names_of(mask_variables()));
    if (metadata.uses_jet)
      check_variables("jet", names_of(jet_variables()));
    if (inputs.size() != (metadata.uses_jet ? 4U : 3U))
      throw InputError(preprocess_path() + ": its input_names are not those of metadata.json; export the run again.");
    for (const InputGroup& group : inputs)
      if (group.name != "jet" && (group.max_length != max_nodes() || group.min_length != input("points").min_length))
        throw InputError(preprocess_path() + ": '" + group.name + "' has other lengths than 'points'; export the run "
                         "again.");
  }

  void check_variables(const std::string& group, const std::vector<std::string>& expected) const {
    if (input(group).variables != expected)
      throw InputError(preprocess_path() + ": '" + group + ".var_names' are not the variables of metadata.json in its "
                       "order; export the run again.");
  }
};

// Jets of one event: places its deposits once, and finds seeds that are not given. Refers to bundle and event.
class EventJets {
public:
  // InputError: deposits that are not finite or outside the detector.
  EventJets(const Bundle& bundle, const Event& event)
      : bundle_(&bundle), placed_(event, bundle.metadata.nodes.selection) {}

  // InputError: an axis that is not finite, or a seed outside the image.
  Jet make(const JetAxis& axis) {
    Jet jet;
    jet.axis = axis;
    for (const auto& entry : jet_variables())
      check_finite(axis.*entry.second);
    check_finite(axis.phi);
    jet.seed = seed_of(axis);
    jet.cut = first_cut(axis, jet.seed, bundle_->metadata.jets);
    if (jet.cut != Cut::none)
      return jet;
    JetNodes made = make_nodes(placed_, jet.seed, bundle_->metadata.nodes);
    select_nodes(made.nodes, bundle_->metadata.node_selection);
    jet.nodes_cut = made.cut;
    if (made.nodes.size() > bundle_->max_nodes()) {
      jet.nodes_cut += made.nodes.size() - bundle_->max_nodes();
      made.nodes.resize(bundle_->max_nodes());
    }
    jet.nodes = std::move(made.nodes);
    return jet;
  }

private:
  void check_finite(float value) const {
    if (!std::isfinite(value))
      throw InputError("event " + name_of(placed_.event()) +
                       ": a jet's axis or masses hold NaN or infinite values; make it again.");
  }

  Seed seed_of(const JetAxis& axis) {
    if (axis.seed_ieta == -1 && axis.seed_iphi == -1) {
      if (!towers_)
        towers_.emplace(placed_.event());
      return find_seed(*towers_, axis.eta, axis.phi);
    }
    if (axis.seed_ieta < 0 || axis.seed_ieta >= hcal_rows || axis.seed_iphi < 0 || axis.seed_iphi >= hcal_columns)
      throw InputError("event " + name_of(placed_.event()) +
                       ": a jet's seed lies outside rows 0–55 and columns 0–71; give -1 for both to find it.");
    return {axis.seed_ieta, axis.seed_iphi};
  }

  const Bundle* bundle_;
  PlacedEvent placed_;
  std::optional<TowerImage> towers_;
};

}  // namespace e2egraph

#endif
