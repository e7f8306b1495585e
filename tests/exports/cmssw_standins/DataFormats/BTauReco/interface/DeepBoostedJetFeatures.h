#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "FWCore/Utilities/interface/Exception.h"

namespace btagbtvdeep {
// Lists by name. Only what was filled in value by value counts: lists that are set as a whole leave it empty.
class DeepBoostedJetFeatures {
public:
  bool empty() const { return nothing_filled_; }
  void add(const std::string& name) { lists_.try_emplace(name); }
  void reserve(const std::string& name, unsigned size) { lists_[name].reserve(size); }
  void fill(const std::string& name, float value) {
    known(name);
    lists_[name].push_back(value);
    nothing_filled_ = false;
  }
  void set(const std::string& name, const std::vector<float>& values) { lists_[name] = values; }
  const std::vector<float>& get(const std::string& name) const {
    known(name);
    return lists_.at(name);
  }
  const std::unordered_map<std::string, std::vector<float>>& get_all() const { return lists_; }

private:
  void known(const std::string& name) const {
    if (lists_.count(name) == 0)
      throw cms::Exception("InvalidArgument") << "no feature '" << name << "'";
  }

  bool nothing_filled_ = true;
  std::unordered_map<std::string, std::vector<float>> lists_;
};
}  // namespace btagbtvdeep
