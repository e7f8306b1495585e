// Milliseconds a jet of each step, and their percentiles.
#ifndef E2EGRAPH_RUNNER_TIMING_H
#define E2EGRAPH_RUNNER_TIMING_H

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace runner {

class Stopwatch {
public:
  // Milliseconds since it was made.
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// One step's times; every jet counts once, with its share of the event's or batch's time. Thread-safe.
class Times {
public:
  void add(double milliseconds, std::size_t jets) {
    const std::lock_guard<std::mutex> lock(guard_);
    if (jets > 0)
      samples_.emplace_back(milliseconds / static_cast<double>(jets), jets);
  }

  // Mean and percentiles [ms/jet], and how many jets they are of.
  nlohmann::json summary() const {
    auto sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
    double sum = 0;
    std::size_t jets = 0;
    for (const auto& [each, number] : sorted) {
      sum += each * static_cast<double>(number);
      jets += number;
    }
    nlohmann::json result{{"mean", jets > 0 ? sum / static_cast<double>(jets) : 0.0}};
    for (const int percent : {50, 90, 99}) {
      const auto wanted = static_cast<std::size_t>(std::ceil(static_cast<double>(jets) * percent / 100.0));
      std::size_t seen = 0;
      double at = 0;
      for (const auto& [each, number] : sorted) {
        at = each;
        if ((seen += number) >= wanted)
          break;
      }
      result["p" + std::to_string(percent)] = at;
    }
    result["jets"] = jets;
    return result;
  }

private:
  std::mutex guard_;
  std::vector<std::pair<double, std::size_t>> samples_;
};

struct Timing {
  // Deposits to nodes; nodes to tensors; ONNX Runtime.
  Times nodes, tensors, onnx_runtime;

  nlohmann::json summary() const {
    return {{"unit", "ms/jet"},
            {"nodes", nodes.summary()},
            {"tensors", tensors.summary()},
            {"onnx_runtime", onnx_runtime.summary()}};
  }

  std::string table() const {
    std::string text = "ms/jet            mean      p50      p90      p99\n";
    const std::array<std::pair<const char*, const Times*>, 3> steps{
        {{"nodes", &nodes}, {"tensors", &tensors}, {"onnx_runtime", &onnx_runtime}}};
    for (const auto& [name, times] : steps) {
      const nlohmann::json step = times->summary();
      std::array<char, 96> line{};
      std::snprintf(line.data(), line.size(), "%-13s %8.4f %8.4f %8.4f %8.4f\n", name, step["mean"].get<double>(),
                    step["p50"].get<double>(), step["p90"].get<double>(), step["p99"].get<double>());
      text += line.data();
    }
    return text;
  }
};

}  // namespace runner

#endif
