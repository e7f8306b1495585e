// Scored jets -> CSV or JSON, and the nodes as a binary file (EVENTS.md).
#ifndef E2EGRAPH_RUNNER_OUTPUT_H
#define E2EGRAPH_RUNNER_OUTPUT_H

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

#include "e2egraph/bundle.h"
#include "e2egraph/error.h"
#include "e2egraph/inputs.h"
#include "e2egraph/outputs.h"
#include "e2egraph/session.h"

namespace runner {

// A jet with its event's identity; without scores unless it passed the selection.
struct Scored {
  std::uint32_t run = 0, lumi = 0;
  std::uint64_t event = 0;
  e2egraph::Jet jet;
  e2egraph::Scores scores;

  // Passed the selection, but has nothing that the network could look at.
  bool without_nodes() const { return jet.cut == e2egraph::Cut::none && jet.nodes.empty(); }
};

// Standard output, or a file, which is written next to its place and put there by finish(): until then what was there
// stays. InputError: it cannot be written.
class Sink {
public:
  explicit Sink(const std::string& path, bool binary = false) : path_(path), written_(path) {
    if (!path.empty()) {
      std::error_code error;
      const auto there = std::filesystem::canonical(path, error);  // where a link leads
      if (!error)
        path_ = written_ = there.string();
      if (error || std::filesystem::is_regular_file(there, error))
        written_ += ".partial";
      file_.open(written_, binary ? std::ios::binary : std::ios::out);
    }
    check();
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  ~Sink() {
    std::error_code error;
    if (!finished_ && written_ != path_)
      std::filesystem::remove(written_, error);
  }

  void write(const std::string& text) {
    std::ostream& stream = path_.empty() ? std::cout : file_;
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  }

  void finish() {
    (path_.empty() ? std::cout : file_).flush();
    check();
    std::error_code error;
    if (written_ != path_)
      std::filesystem::rename(written_, path_, error);
    if (error)
      refuse();
    finished_ = true;
  }

private:
  void check() {
    const std::ostream& stream = path_.empty() ? std::cout : file_;
    if (!stream)
      refuse();
  }

  [[noreturn]] void refuse() const {
    throw e2egraph::InputError((path_.empty() ? "standard output" : path_) +
                               ": cannot be written; choose another file or free space.");
  }

  std::string path_, written_;
  std::ofstream file_;
  bool finished_ = false;
};

inline std::string shortest_exact(float value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", static_cast<double>(value));
  return text.data();
}

// What a network gives, part by part in the order of its heads: prefix of its columns, their names, and its values.
struct Part {
  std::string prefix;
  std::vector<std::string> names;
  std::vector<float> e2egraph::Scores::*values;
};

inline std::vector<Part> parts_of(const e2egraph::Outputs& outputs) {
  using e2egraph::Scores;
  std::vector<Part> parts;
  for (const e2egraph::Head& head : outputs.heads) {
    if (head.of_classes) {
      parts.push_back({"score_", head.columns, &Scores::probabilities});
      parts.push_back({"logit_", head.columns, &Scores::logits});
    } else {
      parts.push_back({"predicted_", head.columns, &Scores::predictions});
    }
  }
  return parts;
}

inline std::string csv_head(const std::vector<Part>& parts) {
  std::string line = "run,lumi,event,jet,label,seed_ieta,seed_iphi,cut,n_nodes,nodes_cut";
  for (const Part& part : parts)
    for (const std::string& name : part.names)
      line += "," + part.prefix + name;
  return line + "\n";
}

// What the network gives is empty for a jet that fails the selection.
inline std::string csv_line(const Scored& scored, const std::vector<Part>& parts) {
  const e2egraph::Jet& jet = scored.jet;
  std::string line = std::to_string(scored.run) + "," + std::to_string(scored.lumi) + "," +
                     std::to_string(scored.event) + "," + std::to_string(jet.axis.index) + "," +
                     std::to_string(jet.axis.label) + "," + std::to_string(jet.seed.ieta) + "," +
                     std::to_string(jet.seed.iphi) + "," + std::string(e2egraph::name_of(jet.cut)) + "," +
                     std::to_string(jet.nodes.size()) + "," + std::to_string(jet.nodes_cut);
  for (const Part& part : parts) {
    const std::vector<float>& values = scored.scores.*part.values;
    for (std::size_t i = 0; i < part.names.size(); ++i)
      line += "," + (i < values.size() ? shortest_exact(values[i]) : std::string());
  }
  return line + "\n";
}

// Names of the parts' values in JSON.
inline const char* json_key(const Part& part) {
  return part.prefix == "score_" ? "probabilities" : part.prefix == "logit_" ? "logits" : "predictions";
}

inline nlohmann::json json_entry(const Scored& scored, const std::vector<Part>& parts) {
  const e2egraph::Jet& jet = scored.jet;
  nlohmann::json entry{{"run", scored.run},
                       {"lumi", scored.lumi},
                       {"event", scored.event},
                       {"jet", jet.axis.index},
                       {"label", jet.axis.label},
                       {"seed", {jet.seed.ieta, jet.seed.iphi}},
                       {"cut", std::string(e2egraph::name_of(jet.cut))},
                       {"n_nodes", jet.nodes.size()},
                       {"nodes_cut", jet.nodes_cut}};
  for (const Part& part : parts)
    entry[json_key(part)] = scored.scores.*part.values;
  return entry;
}

// Names of classes, and of quantities with their units, as far as the network has them.
inline nlohmann::json json_columns(const e2egraph::Outputs& outputs) {
  nlohmann::json columns = nlohmann::json::object();
  if (const auto* head = outputs.classes())
    columns["classes"] = head->columns;
  if (const auto* head = outputs.quantities()) {
    columns["quantities"] = head->columns;
    columns["units"] = head->units;
  }
  return columns;
}

template <typename T>
void append(std::string& bytes, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// The head of a node file: the names of the columns after `channel`, one a line, with their length before them. `value`
// comes first where the network does not read it, as it decides the order.
inline e2egraph::Named<e2egraph::NodeVariable> node_columns(const e2egraph::Inputs& inputs) {
  using e2egraph::NodeVariable;
  e2egraph::Named<NodeVariable> columns = e2egraph::Inputs::points();
  if (e2egraph::find(inputs.variables, "value") == nullptr)
    columns.push_back({"value", {NodeVariable::Kind::member, &e2egraph::Node::value, 0, e2egraph::Channel::TRACK}});
  columns.insert(columns.end(), inputs.variables.begin(), inputs.variables.end());
  return columns;
}

inline std::string node_head(const e2egraph::Named<e2egraph::NodeVariable>& columns) {
  std::string names, bytes = "E2ENODE3";
  for (const auto& column : columns)
    names += column.first + "\n";
  append(bytes, static_cast<std::uint32_t>(names.size()));
  bytes += names;
  append(bytes, std::uint32_t{0});  // no elements of particle flow
  return bytes;
}

// One jet of a node file: run, lumi, event, jet, number of nodes; then the channels, and column by column the others.
inline std::string node_block(const Scored& scored, const e2egraph::Named<e2egraph::NodeVariable>& columns) {
  const std::vector<e2egraph::Node>& nodes = scored.jet.nodes;
  std::string bytes;
  append(bytes, scored.run);
  append(bytes, scored.lumi);
  append(bytes, scored.event);
  append(bytes, static_cast<std::int32_t>(scored.jet.axis.index));
  append(bytes, static_cast<std::uint32_t>(nodes.size()));
  for (const e2egraph::Node& node : nodes)
    append(bytes, static_cast<std::int32_t>(node.channel));
  for (const auto& [name, column] : columns)
    for (std::size_t i = 0; i < nodes.size(); ++i)
      append(bytes, column.kind == e2egraph::NodeVariable::Kind::member
                        ? nodes[i].*column.member
                        : scored.jet.extra[column.extra * nodes.size() + i]);
  return bytes;
}

}  // namespace runner

#endif
