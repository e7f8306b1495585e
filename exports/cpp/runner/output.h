// Scored jets -> CSV or JSON, and the nodes as a binary file (EVENTS.md).
#ifndef E2EGRAPH_RUNNER_OUTPUT_H
#define E2EGRAPH_RUNNER_OUTPUT_H

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "e2egraph/bundle.h"
#include "e2egraph/error.h"
#include "e2egraph/session.h"

namespace runner {

// A jet with its event's identity; without scores unless it passed the selection.
struct Scored {
  std::uint32_t run = 0, lumi = 0;
  std::uint64_t event = 0;
  e2egraph::Jet jet;
  e2egraph::Scores scores;
};

// Standard output, or a file. InputError: it cannot be written.
class Sink {
public:
  explicit Sink(const std::string& path, bool binary = false) : path_(path) {
    if (!path.empty())
      file_.open(path, binary ? std::ios::binary : std::ios::out);
    check();
  }

  void write(const std::string& text) {
    std::ostream& stream = path_.empty() ? std::cout : file_;
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  }

  void finish() {
    (path_.empty() ? std::cout : file_).flush();
    check();
  }

private:
  void check() {
    const std::ostream& stream = path_.empty() ? std::cout : file_;
    if (!stream)
      throw e2egraph::InputError((path_.empty() ? "standard output" : path_) +
                                 ": cannot be written; choose another file or free space.");
  }

  std::string path_;
  std::ofstream file_;
};

inline std::string shortest_exact(float value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", static_cast<double>(value));
  return text.data();
}

inline std::string csv_head(const std::vector<std::string>& classes) {
  std::string line = "run,lumi,event,jet,label,seed_ieta,seed_iphi,cut,n_nodes,nodes_cut";
  for (const char* kind : {",score_", ",logit_"})
    for (const std::string& name : classes)
      line += kind + name;
  return line + "\n";
}

// Scores and logits are empty for a jet that fails the selection.
inline std::string csv_line(const Scored& scored, std::size_t classes) {
  const e2egraph::Jet& jet = scored.jet;
  std::string line = std::to_string(scored.run) + "," + std::to_string(scored.lumi) + "," +
                     std::to_string(scored.event) + "," + std::to_string(jet.axis.index) + "," +
                     std::to_string(jet.axis.label) + "," + std::to_string(jet.seed.ieta) + "," +
                     std::to_string(jet.seed.iphi) + "," + std::string(e2egraph::name_of(jet.cut)) + "," +
                     std::to_string(jet.nodes.size()) + "," + std::to_string(jet.nodes_cut);
  for (const auto* values : {&scored.scores.probabilities, &scored.scores.logits})
    for (std::size_t i = 0; i < classes; ++i)
      line += "," + (i < values->size() ? shortest_exact((*values)[i]) : std::string());
  return line + "\n";
}

inline nlohmann::json json_entry(const Scored& scored) {
  const e2egraph::Jet& jet = scored.jet;
  return {{"run", scored.run},
          {"lumi", scored.lumi},
          {"event", scored.event},
          {"jet", jet.axis.index},
          {"label", jet.axis.label},
          {"seed", {jet.seed.ieta, jet.seed.iphi}},
          {"cut", std::string(e2egraph::name_of(jet.cut))},
          {"n_nodes", jet.nodes.size()},
          {"nodes_cut", jet.nodes_cut},
          {"probabilities", scored.scores.probabilities},
          {"logits", scored.scores.logits}};
}

template <typename T>
void append(std::string& bytes, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline constexpr const char* node_file_magic = "E2ENODE1";

// One jet of a node file: run, lumi, event, jet, number of nodes, then column by column.
inline std::string node_block(const Scored& scored) {
  using e2egraph::Node;
  const std::vector<Node>& nodes = scored.jet.nodes;
  std::string bytes;
  append(bytes, scored.run);
  append(bytes, scored.lumi);
  append(bytes, scored.event);
  append(bytes, static_cast<std::int32_t>(scored.jet.axis.index));
  append(bytes, static_cast<std::uint32_t>(nodes.size()));
  for (const Node& node : nodes)
    append(bytes, static_cast<std::int32_t>(node.channel));
  for (float Node::* member : {&Node::deta, &Node::dphi, &Node::rho, &Node::value, &Node::d0, &Node::dz, &Node::d0_sig,
                               &Node::dz_sig, &Node::charge, &Node::time})
    for (const Node& node : nodes)
      append(bytes, node.*member);
  return bytes;
}

}  // namespace runner

#endif
