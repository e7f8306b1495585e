// The variables of a tagger's inputs: their names, in order, and where a node or jet keeps each.
#ifndef E2EGRAPH_VARIABLES_H
#define E2EGRAPH_VARIABLES_H

#include <string>
#include <utility>
#include <vector>

#include "e2egraph/channels.h"
#include "e2egraph/events.h"
#include "e2egraph/node.h"

namespace e2egraph {

// A variable of a node: one of its members, or whether it is of a channel, or simply 1 for every node (the mask).
struct NodeVariable {
  float Node::* member = nullptr;
  int channel = -1;

  float operator()(const Node& node) const {
    if (member != nullptr)
      return node.*member;
    return channel < 0 || static_cast<int>(node.channel) == channel ? 1.0F : 0.0F;
  }
};

template <typename Variable>
using Named = std::vector<std::pair<std::string, Variable>>;

inline const Named<NodeVariable>& point_variables() {
  static const Named<NodeVariable> variables{{"deta", {&Node::deta, -1}}, {"dphi", {&Node::dphi, -1}}};
  return variables;
}

inline const Named<NodeVariable>& feature_variables() {
  static const Named<NodeVariable> variables = [] {
    Named<NodeVariable> result{{"rho", {&Node::rho, -1}},
                               {"value", {&Node::value, -1}},
                               {"d0", {&Node::d0, -1}},
                               {"dz", {&Node::dz, -1}},
                               {"d0_sig", {&Node::d0_sig, -1}},
                               {"dz_sig", {&Node::dz_sig, -1}},
                               {"charge", {&Node::charge, -1}},
                               {"time", {&Node::time, -1}}};
    for (std::size_t i = 0; i < n_channels; ++i)
      result.push_back({"is_" + std::string(channel_names[i]), {nullptr, static_cast<int>(i)}});
    return result;
  }();
  return variables;
}

inline const Named<NodeVariable>& mask_variables() {
  static const Named<NodeVariable> variables{{"mask", {nullptr, -1}}};
  return variables;
}

inline const Named<float JetAxis::*>& jet_variables() {
  static const Named<float JetAxis::*> variables{{"jet_pt", &JetAxis::pt},
                                                 {"jet_eta", &JetAxis::eta},
                                                 {"jet_mass", &JetAxis::mass},
                                                 {"softdrop_mass", &JetAxis::softdrop_mass},
                                                 {"tau21", &JetAxis::tau21},
                                                 {"tau32", &JetAxis::tau32}};
  return variables;
}

template <typename Variable>
std::vector<std::string> names_of(const Named<Variable>& variables) {
  std::vector<std::string> names;
  for (const auto& entry : variables)
    names.push_back(entry.first);
  return names;
}

}  // namespace e2egraph

#endif
