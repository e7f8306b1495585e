// Reads the event files that `e2egraph dump-events` writes (EVENTS.md), one event at a time.
#ifndef E2EGRAPH_EVENT_FILE_H
#define E2EGRAPH_EVENT_FILE_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "e2egraph/error.h"
#include "e2egraph/events.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "event files are little-endian, and this reader does not swap bytes"
#endif

namespace e2egraph {

inline constexpr std::array<char, 8> event_file_magic{{'E', '2', 'E', 'E', 'V', 'T', '0', '2'}};

class EventFile {
public:
  // InputError: missing, or no event file.
  explicit EventFile(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    if (!file_)
      throw InputError(path + ": cannot be read; make it with 'e2egraph dump-events'.");
    file_.seekg(0, std::ios::end);
    const auto end = file_.tellg();
    file_.seekg(0);
    left_ = end < 0 ? 0 : static_cast<std::uint64_t>(end);
    std::array<char, 8> magic{};
    if (left_ < magic.size() + sizeof events_)
      fail("is shorter than the head of an event file");
    take(magic.data(), magic.size());
    if (magic != event_file_magic)
      fail("does not begin with E2EEVT02, or is of another version");
    take(&events_, sizeof events_);
  }

  std::uint64_t events() const { return events_; }

  // Reads the next event into `event`; false at the end. InputError: the file is truncated or damaged.
  bool next(Event& event) {
    if (done_ == events_) {
      if (left_ != 0)
        fail("has " + std::to_string(left_) + " bytes after its last event");
      return false;
    }
    ++done_;
    std::array<std::uint32_t, 5> counts{};
    if (left_ < head_bytes)
      fail("ends at event " + std::to_string(done_) + " of " + std::to_string(events_));
    take(&event.run, 4);
    take(&event.lumi, 4);
    take(&event.event, 8);
    take(&event.n_pv, 4);
    take(&event.pv.x, 4);
    take(&event.pv.y, 4);
    take(&event.pv.z, 4);
    take(counts.data(), sizeof counts);
    std::uint64_t values = 0;
    // Products of uint32 and a handful: no overflow.
    for (std::size_t i = 0; i < counts.size(); ++i)
      values += std::uint64_t{counts[i]} * columns[i];
    if (values > left_ / 4)
      fail("says that event " + std::to_string(done_) + " holds more than the file does");
    block_.resize(values);
    take(block_.data(), values * 4);
    fill(event, counts);
    return true;
  }

private:
  static constexpr std::uint64_t head_bytes = 52;
  // Columns of tracks, hits, ecal, hcal and jets; each value has four bytes.
  static constexpr std::array<std::uint32_t, 5> columns{{8, 4, 4, 3, 11}};

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(path_ + ": " + what + "; it is truncated or damaged: dump the events again.");
  }

  void take(void* to, std::uint64_t bytes) {
    if (bytes == 0)
      return;
    file_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
    if (!file_)
      fail("cannot be read to its end");
    left_ -= bytes;
  }

  // Column by column: the next `size` values as T, each given to `set` with its index.
  template <typename T, typename Set>
  void column(std::size_t size, Set set) {
    static_assert(sizeof(T) == 4);
    for (std::size_t i = 0; i < size; ++i) {
      T value;
      std::memcpy(&value, &block_[at_++], 4);
      set(i, value);
    }
  }

  template <typename Object, typename... Members>
  void floats(std::vector<Object>& objects, Members... members) {
    (column<float>(objects.size(), [&](std::size_t i, float value) { objects[i].*members = value; }), ...);
  }

  template <typename Object, typename... Members>
  void integers(std::vector<Object>& objects, Members... members) {
    (column<std::int32_t>(objects.size(), [&](std::size_t i, std::int32_t value) { objects[i].*members = value; }),
     ...);
  }

  void fill(Event& event, const std::array<std::uint32_t, 5>& counts) {
    at_ = 0;
    event.tracks.assign(counts[0], {});
    event.hits.assign(counts[1], {});
    event.ecal.assign(counts[2], {});
    event.hcal.assign(counts[3], {});
    event.jets.assign(counts[4], {});
    floats(event.tracks, &Track::pt, &Track::eta, &Track::phi, &Track::d0, &Track::dz, &Track::d0_sig, &Track::dz_sig,
           &Track::charge);
    column<std::int32_t>(counts[1], [&](std::size_t i, std::int32_t code) {
      const auto channel = hit_channel_of(std::int64_t{code});
      if (!channel)
        fail("says that a hit of event " + std::to_string(done_) + " has channel " + std::to_string(code));
      event.hits[i].channel = *channel;
    });
    floats(event.hits, &Hit::x, &Hit::y, &Hit::z);
    integers(event.ecal, &Crystal::ieta, &Crystal::iphi);
    floats(event.ecal, &Crystal::energy, &Crystal::time);
    integers(event.hcal, &Tower::ieta, &Tower::iphi);
    floats(event.hcal, &Tower::energy);
    integers(event.jets, &JetAxis::index, &JetAxis::label);
    floats(event.jets, &JetAxis::pt, &JetAxis::eta, &JetAxis::phi, &JetAxis::mass, &JetAxis::softdrop_mass,
           &JetAxis::tau21, &JetAxis::tau32);
    integers(event.jets, &JetAxis::seed_ieta, &JetAxis::seed_iphi);
  }

  std::string path_;
  std::ifstream file_;
  std::uint64_t left_ = 0, events_ = 0, done_ = 0;
  std::vector<std::uint32_t> block_;
  std::size_t at_ = 0;
};

}  // namespace e2egraph

#endif
