// The runner's command line.
#ifndef E2EGRAPH_RUNNER_OPTIONS_H
#define E2EGRAPH_RUNNER_OPTIONS_H

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace runner {

inline constexpr const char* usage =
    "usage: e2e_infer BUNDLE EVENTS [--batch 64] [--threads 1] [--format csv|json] [--output FILE] [--dump-nodes FILE] "
    "[--repeat 1] [--variant fp16|int8]";

class UsageError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

// threads: each with batches of its own on the one session. repeat: passes over every jet, of which the first one's
// scores are written and all are timed.
struct Options {
  std::string bundle, events, format = "csv", output, dump_nodes, variant;
  int batch = 64, threads = 1, repeat = 1;
  bool help = false;
};

inline int whole_number(const std::string& option, const std::string& text, int most) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 1 || value > most)
    throw UsageError(option + " " + text + ": give a whole number from 1 to " + std::to_string(most) + ".");
  return static_cast<int>(value);
}

// The words that are no options, in order; `set(option, value)` is called for each option, and is false for one that it
// does not know. None where help is asked for. UsageError, with `help`: an option without a value, or an unknown one.
template <typename Set>
std::optional<std::vector<std::string>> places_of(const std::vector<std::string>& words, const std::string& help,
                                                  const Set& set) {
  std::vector<std::string> places;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--help" || word == "-h")
      return std::nullopt;
    if (word.rfind("--", 0) != 0) {
      places.push_back(word);
      continue;
    }
    if (i + 1 == words.size())
      throw UsageError(word + ": needs a value; " + help + ".");
    if (!set(word, words[++i]))
      throw UsageError(word + ": no such option; " + help + ".");
  }
  return places;
}

inline Options parse(const std::vector<std::string>& words) {
  Options options;
  const auto places = places_of(words, usage, [&](const std::string& word, const std::string& value) {
    if (word == "--batch")
      options.batch = whole_number(word, value, 65536);
    else if (word == "--threads")
      options.threads = whole_number(word, value, 1024);
    else if (word == "--repeat")
      options.repeat = whole_number(word, value, 1'000'000);
    else if (word == "--format")
      options.format = value;
    else if (word == "--output")
      options.output = value;
    else if (word == "--variant")
      options.variant = value;
    else if (word == "--dump-nodes")
      options.dump_nodes = value;
    else
      return false;
    return true;
  });
  options.help = !places;
  if (options.help)
    return options;
  if (places->size() != 2)
    throw UsageError(std::string("give one bundle and one event file; ") + usage + ".");
  if (options.format != "csv" && options.format != "json")
    throw UsageError("--format " + options.format + ": give csv or json.");
  options.bundle = places->at(0);
  options.events = places->at(1);
  return options;
}

}  // namespace runner

#endif
