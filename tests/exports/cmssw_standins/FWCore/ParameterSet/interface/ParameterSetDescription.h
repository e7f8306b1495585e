#pragma once
#include <any>
#include <deque>
#include <string>
#include <type_traits>
#include <vector>

#include "FWCore/Utilities/interface/FileInPath.h"
#include "FWCore/Utilities/interface/InputTag.h"

namespace edm {
// One parameter: its type as Python names it, and its default as there (nothing in `value`: none).
struct ParameterDescriptionBase {
  std::string name, type, text;
  std::any value;
  void setComment(const std::string&) {}
};

class ParameterSetDescription {
public:
  template <typename T>
  ParameterDescriptionBase* add(const std::string& name) {
    return &parameters.emplace_back(ParameterDescriptionBase{name, describe(T()).first, "", {}});
  }
  template <typename T>
  ParameterDescriptionBase* add(const std::string& name, const T& value) {
    const auto [type, text] = describe(value);
    return &parameters.emplace_back(ParameterDescriptionBase{name, type, text, value});
  }

  std::deque<ParameterDescriptionBase> parameters;

private:
  using Described = std::pair<std::string, std::string>;
  static Described describe(const InputTag& tag) { return {"InputTag", tag.encode()}; }
  static Described describe(const std::vector<InputTag>& tags) {
    std::string text;
    for (const InputTag& tag : tags)
      text += (text.empty() ? "" : ",") + tag.encode();
    return {"VInputTag", text};
  }
  static Described describe(const FileInPath& path) { return {"FileInPath", path.fullPath()}; }
  static Described describe(const std::string& text) { return {"string", text}; }
  static Described describe(bool value) { return {"bool", value ? "True" : "False"}; }
  static Described describe(int value) { return {"int32", std::to_string(value)}; }
  static Described describe(unsigned int value) { return {"uint32", std::to_string(value)}; }
};
}  // namespace edm
