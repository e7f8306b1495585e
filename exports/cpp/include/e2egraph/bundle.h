// A bundle's description without its network: metadata.json and preprocess.json, checked against each other.
#ifndef E2EGRAPH_BUNDLE_H
#define E2EGRAPH_BUNDLE_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "e2egraph/clusters.h"
#include "e2egraph/deposit.h"
#include "e2egraph/error.h"
#include "e2egraph/events.h"
#include "e2egraph/inputs.h"
#include "e2egraph/metadata.h"
#include "e2egraph/nodes.h"
#include "e2egraph/preprocess.h"
#include "e2egraph/seed.h"
#include "e2egraph/selection.h"
#include "e2egraph/variables.h"

namespace e2egraph {

// One jet, ready for the network. `nodes` is empty unless `cut` is none; `nodes_cut`: those that the caps and the
// network's length left out. `extra` [variables, nodes]: the registered variables of metadata.inputs.extra, row-major.
struct Jet {
  JetAxis axis;
  Seed seed;
  Cut cut = Cut::none;
  std::vector<Node> nodes;
  std::size_t nodes_cut = 0;
  std::vector<float> extra;
};

// One input tensor of the network: names, scalings and lengths by preprocess.json, and where each row's values are,
// those of nodes or (for `jet`) those of the jet itself.
struct InputTensor {
  InputGroup group;
  Named<NodeVariable> rows;
  Named<float JetAxis::*> of_jet;
};

struct Bundle {
  std::string folder;
  Metadata metadata;
  std::vector<InputTensor> inputs;

  // InputError: a file missing, unreadable, or at odds with the other.
  static Bundle read(const std::string& folder) {
    Bundle bundle{folder, read_metadata(folder + "/metadata.json"), {}};
    bundle.resolve(read_preprocess(bundle.preprocess_path()));
    return bundle;
  }

  // The classes whose probabilities the network gives, and the quantities it predicts; empty where it does not.
  std::vector<std::string> classes() const { return columns(metadata.outputs.classes()); }
  std::vector<std::string> quantities() const { return columns(metadata.outputs.quantities()); }

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
  std::size_t max_nodes() const { return input("points").group.max_length; }

  const InputTensor& input(const std::string& name) const {
    for (const InputTensor& tensor : inputs)
      if (tensor.group.name == name)
        return tensor;
    throw InputError(preprocess_path() + ": '" + name + "' is not among input_names; export the run again.");
  }

private:
  static std::vector<std::string> columns(const Head* head) {
    return head == nullptr ? std::vector<std::string>() : head->columns;
  }

  std::string preprocess_path() const { return folder + "/preprocess.json"; }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(preprocess_path() + ": " + what + "; export the run again.");
  }

  void resolve(Preprocessing preprocessing) {
    std::vector<std::string> asked;
    for (const auto& tensor : metadata.outputs.tensors(false))
      asked.push_back(tensor.first);
    if (preprocessing.outputs != asked)
      fail("its output_names are not those of metadata.json");
    std::vector<std::string> labels;
    for (const std::string& name : classes())
      labels.push_back(product_label(name));
    if (!preprocessing.labels.empty() && preprocessing.labels != labels)
      fail("its flav_names are not the classes of metadata.json in its order");
    for (InputGroup& group : preprocessing.inputs)
      add(std::move(group));
    if (metadata.uses_jet)
      input("jet");
    const InputGroup& points = input("points").group;
    for (const char* name : {"features", "mask"}) {
      const InputGroup& group = input(name).group;
      if (group.max_length != points.max_length || group.min_length != points.min_length)
        fail("'" + group.name + "' has other lengths than 'points'");
    }
  }

  void add(InputGroup group) {
    InputTensor tensor;
    for (const InputTensor& other : inputs)
      if (other.group.name == group.name)
        fail("'" + group.name + "' stands twice among input_names");
    if (group.name == "points")
      tensor.rows = Inputs::points();
    else if (group.name == "features")
      tensor.rows = metadata.inputs.features();
    else if (group.name == "mask")
      tensor.rows = Inputs::mask();
    else if (group.name == "jet" && metadata.uses_jet)
      tensor.of_jet = metadata.inputs.object;
    else
      fail("input_names names '" + group.name + "', which metadata.json does not");
    std::vector<std::string> names;
    for (const auto& row : tensor.rows)
      names.push_back(row.first);
    for (const auto& row : tensor.of_jet)
      names.push_back(row.first);
    if (group.variables != names)
      fail("'" + group.name + ".var_names' are not the variables of metadata.json in its order");
    tensor.group = std::move(group);
    inputs.push_back(std::move(tensor));
  }
};

// Jets or clusters of one event, or the event as a whole: places its deposits once, and finds seeds that are not given.
// Refers to bundle and event.
class EventJets {
public:
  // InputError: deposits that are not finite or outside the detector.
  EventJets(const Bundle& bundle, const Event& event)
      : bundle_(&bundle), placed_(event, bundle.metadata.nodes) {}

  // Those that are to be made: the event's own, or, for clusters where it has none, all that are found. Of whole events
  // one, which may say number and label. InputError: several in an event that is taken as a whole.
  std::vector<JetAxis> axes() {
    const auto& clusters = bundle_->metadata.clusters;
    const std::vector<JetAxis>& jets = placed_.event().jets;
    if (bundle_->metadata.kind == ObjectKind::event) {
      if (jets.size() > 1)
        throw InputError("event " + name_of(placed_.event()) + ": holds " + std::to_string(jets.size()) +
                         " jets, but this bundle scores whole events, for which one stands at most; dump the events "
                         "for its task.");
      return {jets.empty() ? JetAxis{} : jets.front()};
    }
    return clusters && jets.empty() ? crystals().clusters(clusters->seed_min) : jets;
  }

  // InputError: an axis that is not finite, or a seed outside the image.
  Jet make(const JetAxis& axis) {
    Jet jet;
    jet.axis = axis;
    if (bundle_->metadata.clusters) {
      jet.seed = seed_crystal(axis);
      const ClusterSelection& selection = *bundle_->metadata.clusters;
      const double around = crystals().measure(jet.axis, selection.isolation);
      jet.cut = first_cut(jet.axis, selection, around);
    } else if (bundle_->metadata.kind == ObjectKind::jet) {
      for (const auto& entry : jet_quantities())
        check_finite(axis.*entry.second);
      check_finite(axis.phi);
      jet.seed = seed_of(axis);
      jet.cut = first_cut(axis, jet.seed, bundle_->metadata.jets);
    }
    if (jet.cut != Cut::none)
      return jet;
    JetNodes made = make_nodes(placed_, jet.seed, bundle_->metadata.nodes);
    select_nodes(made.nodes, bundle_->metadata.node_selection);
    jet.nodes_cut = made.cut + bundle_->metadata.node_selection.cut_to_caps(made.nodes);
    if (made.nodes.size() > bundle_->max_nodes()) {
      jet.nodes_cut += made.nodes.size() - bundle_->max_nodes();
      made.nodes.resize(bundle_->max_nodes());
    }
    jet.nodes = std::move(made.nodes);
    add_extra(jet);
    return jet;
  }

private:
  void add_extra(Jet& jet) const {
    const Event& event = placed_.event();
    for (const auto& [name, function] : bundle_->metadata.inputs.extra)
      for (const Node& node : jet.nodes) {
        jet.extra.push_back(function(node, Deposit{event, node.collection, node.index}));
        if (!std::isfinite(jet.extra.back()))
          throw InputError("event " + name_of(event) + ": variable " + name +
                           " of a node is NaN or infinite; correct the function that was registered for it.");
      }
  }

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

  Seed seed_crystal(const JetAxis& axis) const {
    if (axis.seed_ieta < 0 || axis.seed_ieta >= ecal_rows || axis.seed_iphi < 0 || axis.seed_iphi >= ecal_columns)
      throw InputError("event " + name_of(placed_.event()) +
                       ": a cluster's seed lies outside rows 0–279 and columns 0–359; give no clusters to find them.");
    return {axis.seed_ieta, axis.seed_iphi, true};
  }

  const CrystalRows& crystals() {
    if (!crystals_)
      crystals_.emplace(placed_.event());
    return *crystals_;
  }

  const Bundle* bundle_;
  PlacedEvent placed_;
  std::optional<TowerImage> towers_;
  std::optional<CrystalRows> crystals_;
};

}  // namespace e2egraph

#endif
