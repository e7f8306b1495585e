// Work items shared by a few threads.
#ifndef E2EGRAPH_RUNNER_PARALLEL_H
#define E2EGRAPH_RUNNER_PARALLEL_H

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace runner {

// Calls work(item) for 0 … items - 1, each once, on up to `threads` threads; rethrows the first exception.
template <typename Work>
void for_each_item(std::size_t items, int threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto take_items = [&] {
    for (std::size_t item = next++; item < items; item = next++) {
      try {
        work(item);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(guard);
        if (!failure)
          failure = std::current_exception();
        next = items;
      }
    }
  };
  std::vector<std::thread> others;
  const std::size_t helpers = std::min(static_cast<std::size_t>(threads), items);
  for (std::size_t i = 1; i < helpers; ++i)
    others.emplace_back(take_items);
  take_items();
  for (std::thread& other : others)
    other.join();
  if (failure)
    std::rethrow_exception(failure);
}

}  // namespace runner

#endif
