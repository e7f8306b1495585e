// A whole file as bytes.
#ifndef E2EGRAPH_FILE_H
#define E2EGRAPH_FILE_H

#include <fstream>
#include <iterator>
#include <string>

#include "e2egraph/error.h"

namespace e2egraph {

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  // A folder can be opened, but not read.
  file.peek();
  if (!file.is_open() || file.bad())
    throw InputError(path + ": cannot be read; check the path of the bundle.");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace e2egraph

#endif
