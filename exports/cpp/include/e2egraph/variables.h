// What nodes and jets can carry, by name; variables of one's own are added with register_variable.
#ifndef E2EGRAPH_VARIABLES_H
#define E2EGRAPH_VARIABLES_H

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "e2egraph/deposit.h"
#include "e2egraph/events.h"
#include "e2egraph/node.h"

namespace e2egraph {

template <typename Member>
using Named = std::vector<std::pair<std::string, Member>>;

template <typename Member>
const Member* find(const Named<Member>& table, std::string_view name) {
  for (const auto& [key, member] : table)
    if (key == name)
      return &member;
  return nullptr;
}

template <typename Member>
std::string names_of(const Named<Member>& table) {
  std::string names;
  for (const auto& entry : table)
    names += (names.empty() ? "" : ", ") + entry.first;
  return names;
}

// Variables of a node that every node has, whether or not a network reads them.
inline const Named<float Node::*>& node_variables() {
  static const Named<float Node::*> table{{"rho", &Node::rho},       {"value", &Node::value},
                                          {"d0", &Node::d0},         {"dz", &Node::dz},
                                          {"d0_sig", &Node::d0_sig}, {"dz_sig", &Node::dz_sig},
                                          {"charge", &Node::charge}, {"time", &Node::time}};
  return table;
}

// Quantities of a jet.
inline const Named<float JetAxis::*>& jet_quantities() {
  static const Named<float JetAxis::*> table{{"jet_pt", &JetAxis::pt},
                                             {"jet_eta", &JetAxis::eta},
                                             {"jet_mass", &JetAxis::mass},
                                             {"softdrop_mass", &JetAxis::softdrop_mass},
                                             {"tau21", &JetAxis::tau21},
                                             {"tau32", &JetAxis::tau32}};
  return table;
}

// Quantities of a cluster.
inline const Named<float JetAxis::*>& cluster_quantities() {
  static const Named<float JetAxis::*> table{{"jet_pt", &JetAxis::pt},
                                             {"jet_eta", &JetAxis::eta},
                                             {"cluster_energy", &JetAxis::cluster_energy},
                                             {"r9", &JetAxis::r9},
                                             {"eta_width", &JetAxis::eta_width},
                                             {"phi_width", &JetAxis::phi_width}};
  return table;
}

// A variable of one's own, from a finished node and the deposit it was made from; 0 where it has no meaning. A node's
// d0 and dz may have been suppressed, a deposit's are as measured. It may be called from several threads at once.
using VariableFunction = std::function<float(const Node&, const Deposit&)>;

inline std::map<std::string, VariableFunction>& registered_variables() {
  static std::map<std::string, VariableFunction> table;
  return table;
}

// Makes a variable known to every bundle that is read afterwards. Returns true, so that a source file of one's own can
// say `static const bool known = e2egraph::register_variable("name", function);` (in a header: `inline const bool`).
// invalid_argument: the name is taken.
inline bool register_variable(const std::string& name, VariableFunction function) {
  const bool built_in = find(node_variables(), name) != nullptr || name == "deta" || name == "dphi" || name == "mask";
  if (!function || built_in || !registered_variables().emplace(name, std::move(function)).second)
    throw std::invalid_argument("variable " + name + " exists already, or has no function; choose another name");
  return true;
}

}  // namespace e2egraph

#endif
