#pragma once
#include <string>

namespace edm {
class FileInPath {
public:
  FileInPath() = default;
  explicit FileInPath(std::string path) : path_(std::move(path)) {}
  std::string fullPath() const { return path_; }

private:
  std::string path_;
};
}  // namespace edm
