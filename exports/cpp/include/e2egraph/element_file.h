// Elements (tracks and clusters) of events, from a node file (EVENTS.md).
#ifndef E2EGRAPH_ELEMENT_FILE_H
#define E2EGRAPH_ELEMENT_FILE_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/file.h"

namespace e2egraph {

// The elements of one event: the number of each one's channel, and columns in the order of the file's names.
struct ElementEvent {
  std::uint32_t run = 0, lumi = 0;
  std::uint64_t event = 0;
  std::vector<std::int32_t> channels;
  std::vector<std::vector<float>> columns;

  std::size_t size() const { return channels.size(); }
};

// A node file in memory. InputError: it cannot be read, is no such file, ends inside an event, or holds numbers that
// are not finite.
class ElementFile {
public:
  explicit ElementFile(const std::string& path) : path_(path), bytes_(read_file(path)) {
    if (bytes_.compare(0, magic.size(), magic) != 0)
      fail("is no node file of this version; make it with 'e2egraph dump-elements'");
    at_ = magic.size();
    const std::size_t length = number<std::uint32_t>();
    need(length);
    for (std::size_t last = at_ + length; at_ < last;) {
      const std::size_t end = bytes_.find('\n', at_);
      if (end == std::string::npos || end >= last)
        fail("has a name without an end; make it again");
      names_.push_back(bytes_.substr(at_, end - at_));
      at_ = end + 1;
    }
    const std::size_t made = number<std::uint32_t>();
    need(made);
    elements_ = bytes_.substr(at_, made);
    at_ += made;
  }

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }
  // A digest of how its elements were made; empty where they are no elements of particle flow.
  const std::string& elements() const { return elements_; }

  // The next event; false after the last one.
  bool next(ElementEvent& event) {
    if (at_ == bytes_.size())
      return false;
    event = {};
    event.run = number<std::uint32_t>();
    event.lumi = number<std::uint32_t>();
    event.event = number<std::uint64_t>();
    number<std::int32_t>();
    const std::size_t size = number<std::uint32_t>();
    event.channels = column<std::int32_t>(size);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      event.columns.push_back(column<float>(size));
      for (const float value : event.columns.back())
        if (!std::isfinite(value))
          fail("holds a value of " + names_[i] + " that is not finite, in event " + std::to_string(event.run) + ":" +
               std::to_string(event.lumi) + ":" + std::to_string(event.event) + "; make it again");
    }
    return true;
  }

private:
  inline static const std::string magic = "E2ENODE3";

  [[noreturn]] void fail(const std::string& what) const { throw InputError(path_ + ": " + what + "."); }

  void need(std::size_t size) const {
    if (bytes_.size() - at_ < size)
      fail("ends inside an event; make it again");
  }

  template <typename T>
  T number() {
    static_assert(std::is_trivially_copyable_v<T>);
    need(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  template <typename T>
  std::vector<T> column(std::size_t size) {
    need(size * sizeof(T));
    std::vector<T> values(size);
    if (size > 0)
      std::memcpy(values.data(), bytes_.data() + at_, size * sizeof(T));
    at_ += size * sizeof(T);
    return values;
  }

  std::string path_, bytes_, elements_;
  std::size_t at_ = 0;
  std::vector<std::string> names_;
};

}  // namespace e2egraph

#endif
