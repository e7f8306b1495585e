#pragma once
#include <string>

namespace edm {
class InputTag {
public:
  InputTag() = default;
  InputTag(const char* label) : label_(label) {}
  InputTag(const std::string& label, const std::string& instance) : label_(label), instance_(instance) {}
  const std::string& label() const { return label_; }
  std::string encode() const { return instance_.empty() ? label_ : label_ + ":" + instance_; }

private:
  std::string label_, instance_;
};
}  // namespace edm
