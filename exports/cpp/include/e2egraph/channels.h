// The detector layers a node can come from, with the numbers and names that bundles and event files use.
#ifndef E2EGRAPH_CHANNELS_H
#define E2EGRAPH_CHANNELS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace e2egraph {

enum class Channel : std::uint8_t { TRACK, BPIX1, BPIX2, BPIX3, BPIX4, TIB1, TIB2, TOB1, TOB2, ECAL, HCAL };

inline constexpr std::array<std::string_view, 11> channel_names{
    "TRACK", "BPIX1", "BPIX2", "BPIX3", "BPIX4", "TIB1", "TIB2", "TOB1", "TOB2", "ECAL", "HCAL"};
inline constexpr std::size_t n_channels = channel_names.size();

constexpr std::size_t number(Channel channel) { return static_cast<std::size_t>(channel); }

inline std::optional<Channel> channel_of(std::string_view name) {
  for (std::size_t i = 0; i < n_channels; ++i)
    if (channel_names[i] == name)
      return static_cast<Channel>(i);
  return std::nullopt;
}

// A channel of hits from its number; none for the numbers of tracks and calorimeters and for unknown ones.
inline std::optional<Channel> hit_channel_of(std::int64_t code) {
  if (code < static_cast<std::int64_t>(Channel::BPIX1) || code > static_cast<std::int64_t>(Channel::TOB2))
    return std::nullopt;
  return static_cast<Channel>(code);
}

// A channel from CMS's subdetector (1 BPIX, 3 TIB, 5 TOB) and layer; none for layers that make no nodes.
inline std::optional<Channel> hit_channel_of(int subdetector, int layer) {
  const int first = subdetector == 1 ? 1 : subdetector == 3 ? 5 : subdetector == 5 ? 7 : 0;
  const int layers = subdetector == 1 ? 4 : 2;
  if (first == 0 || layer < 1 || layer > layers)
    return std::nullopt;
  return static_cast<Channel>(first + layer - 1);
}

}  // namespace e2egraph

#endif
