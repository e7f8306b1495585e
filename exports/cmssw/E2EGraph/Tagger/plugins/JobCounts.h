// What a job reports in one sentence at its end.
#ifndef E2EGraph_Tagger_JobCounts_h
#define E2EGraph_Tagger_JobCounts_h

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "FWCore/MessageLogger/interface/MessageLogger.h"

namespace e2egraph::cmssw {

// All streams add to it at the same time.
class JobCounts {
public:
  void add_jets(std::size_t number) const { jets_ += number; }
  // A jet that passed the selection and has no nodes.
  void add_without_nodes() const { ++without_nodes_; }
  // A jet whose own quantities, or whose score, are NaN or infinite.
  void add_unusable() const { ++unusable_; }
  // Deposits with values that are.
  void add_not_finite(std::size_t deposits) const { not_finite_ += deposits; }

  // `instead`: what such jets get, in words.
  void report(const char* instead) const {
    if (without_nodes_ + unusable_ + not_finite_ > 0)
      edm::LogWarning("E2EGraph") << "Of " << jets_.load() << " jets " << without_nodes_.load()
                                  << " had no nodes and " << unusable_.load() << " were not finite (" << instead
                                  << "); " << not_finite_.load() << " deposits held NaN or infinite values.";
  }

private:
  mutable std::atomic<std::uint64_t> jets_{0}, without_nodes_{0}, unusable_{0}, not_finite_{0};
};

}  // namespace e2egraph::cmssw

#endif
