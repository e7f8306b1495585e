// JSON files of a bundle, read key by key; every fault is an InputError that names the file and the key.
#ifndef E2EGRAPH_JSON_H
#define E2EGRAPH_JSON_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/file.h"

namespace e2egraph {

// One value of a JSON file and where it stands.
class JsonValue {
public:
  JsonValue(const nlohmann::json& value, std::string file, std::string key)
      : value_(&value), file_(std::move(file)), key_(std::move(key)) {}

  bool has(const std::string& name) const { return value_->is_object() && value_->contains(name); }

  // Whether the key is there and not null.
  bool is_set(const std::string& name) const { return has(name) && !(*value_)[name].is_null(); }

  JsonValue at(const std::string& name) const {
    if (!value_->is_object())
      wrong("an object");
    if (!value_->contains(name))
      throw InputError(file_ + ": '" + path(name) + "' is missing; export the run again.");
    return {(*value_)[name], file_, path(name)};
  }

  std::string string() const {
    if (!value_->is_string())
      wrong("a text");
    return value_->get<std::string>();
  }

  bool boolean() const {
    if (!value_->is_boolean())
      wrong("true or false");
    return value_->get<bool>();
  }

  double number() const {
    if (!value_->is_number() || !std::isfinite(value_->get<double>()))
      wrong("a number");
    return value_->get<double>();
  }

  double positive() const {
    const double value = number();
    if (value <= 0)
      wrong("a number above 0");
    return value;
  }

  // A number that float32 can hold.
  float float32() const {
    const double value = number();
    if (std::abs(value) > 3.4e38)
      wrong("a float32 number");
    return static_cast<float>(value);
  }

  int integer(int least, int most) const {
    const std::string range = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    if (!value_->is_number_integer() || (value_->is_number_unsigned() && value_->get<std::uint64_t>() > INT32_MAX))
      wrong(range);
    const auto result = value_->get<std::int64_t>();
    if (result < least || result > most)
      wrong(range);
    return static_cast<int>(result);
  }

  std::vector<std::string> strings() const {
    if (!value_->is_array())
      wrong("a list of names");
    std::vector<std::string> result;
    for (const auto& item : *value_) {
      if (!item.is_string())
        wrong("a list of names");
      result.push_back(item.get<std::string>());
    }
    return result;
  }

  std::vector<std::string> distinct_strings() const {
    std::vector<std::string> result = strings(), sorted = result;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
      wrong("a list of names that differ");
    return result;
  }

  // The entries of a list.
  std::vector<JsonValue> list() const {
    if (!value_->is_array())
      wrong("a list");
    std::vector<JsonValue> result;
    for (const auto& item : *value_)
      result.emplace_back(item, file_, key_ + "[" + std::to_string(result.size()) + "]");
    return result;
  }

  // Key and value of an object, sorted by key.
  std::vector<std::pair<std::string, JsonValue>> items() const {
    if (!value_->is_object())
      wrong("an object");
    std::vector<std::pair<std::string, JsonValue>> result;
    for (const auto& [name, value] : value_->items())
      result.emplace_back(name, JsonValue(value, file_, path(name)));
    return result;
  }

  // File and key of an entry, to begin a message with.
  std::string where(const std::string& name) const { return file_ + ": '" + path(name) + "'"; }

  [[noreturn]] void wrong(const std::string& expected) const {
    throw InputError(file_ + ": '" + (key_.empty() ? "the content" : key_) + "' is not " + expected +
                     "; export the run again.");
  }

private:
  std::string path(const std::string& name) const { return key_.empty() ? name : key_ + "." + name; }

  const nlohmann::json* value_;
  std::string file_, key_;
};

// A JSON file; root() and all values from it refer to this object.
class JsonFile {
public:
  explicit JsonFile(const std::string& path) : path_(path) {
    const std::string text = read_file(path);
    // Without exceptions: a message of the parser may quote bytes that are no text.
    content_ = nlohmann::json::parse(text, nullptr, false);
    if (content_.is_discarded())
      throw InputError(path + ": not readable as JSON; export the run again.");
  }

  JsonValue root() const { return {content_, path_, ""}; }

private:
  std::string path_;
  nlohmann::json content_;
};

}  // namespace e2egraph

#endif
