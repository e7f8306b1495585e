// No output takes the place of what is read, or of another output.
#ifndef E2EGRAPH_RUNNER_PATHS_H
#define E2EGRAPH_RUNNER_PATHS_H

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "options.h"

namespace runner {

// Whether two paths are of one file, be it there yet or not. Terminals, pipes and the like may serve twice.
inline bool same_file(const std::string& one, const std::string& other) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(one, error) && fs::exists(other, error))
    return fs::is_regular_file(one, error) && fs::equivalent(one, other, error);
  return fs::weakly_canonical(one, error) == fs::weakly_canonical(other, error);
}

// UsageError where one of `outputs` (empty: standard output) is an input, a file of the bundle, or another output.
inline void check_outputs(const std::vector<std::string>& outputs, const std::string& input, const std::string& bundle) {
  std::vector<std::string> taken{input};
  std::error_code error;
  for (std::filesystem::directory_iterator file(bundle, error), end; !error && file != end; file.increment(error))
    taken.push_back(file->path().string());
  for (const std::string& output : outputs) {
    if (output.empty())
      continue;
    for (const std::string& other : taken)
      if (same_file(output, other))
        throw UsageError(output + ": is read, or written for something else; choose another output.");
    taken.push_back(output);
  }
}

}  // namespace runner

#endif
