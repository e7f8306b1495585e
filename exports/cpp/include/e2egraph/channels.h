// The detector layers a node can come from: a bundle lists those that its network reads, by name and number.
#ifndef E2EGRAPH_CHANNELS_H
#define E2EGRAPH_CHANNELS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace e2egraph {

// A channel's number, as in bundles, event files and data sets. The layers that come with e2egraph have names here; any
// other number stands for a layer that a bundle names.
enum class Channel : std::uint8_t { TRACK, BPIX1, BPIX2, BPIX3, BPIX4, TIB1, TIB2, TOB1, TOB2, ECAL, HCAL };

// How many numbers there are.
inline constexpr std::size_t n_channels = 256;

constexpr std::size_t number(Channel channel) { return static_cast<std::size_t>(channel); }

// What of an event a channel's nodes are made from.
enum class Collection : std::uint8_t { tracks, hits, ecal, hcal };

inline std::optional<Collection> collection_of(std::string_view name) {
  constexpr std::array<std::string_view, 4> names{{"tracks", "hits", "ecal", "hcal"}};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name)
      return static_cast<Collection>(i);
  return std::nullopt;
}

// CMS's subdetector (1 BPIX, 3 TIB, 5 TOB) and layer.
struct Layer {
  int subdetector = 0, layer = 0;
};

constexpr bool operator==(Layer a, Layer b) { return a.subdetector == b.subdetector && a.layer == b.layer; }

struct KnownLayer {
  std::string_view name;
  Channel channel;
  Layer cms;
};

// The layers of hits that come with e2egraph.
inline constexpr std::array<KnownLayer, 8> known_layers{{{"BPIX1", Channel::BPIX1, {1, 1}},
                                                         {"BPIX2", Channel::BPIX2, {1, 2}},
                                                         {"BPIX3", Channel::BPIX3, {1, 3}},
                                                         {"BPIX4", Channel::BPIX4, {1, 4}},
                                                         {"TIB1", Channel::TIB1, {3, 1}},
                                                         {"TIB2", Channel::TIB2, {3, 2}},
                                                         {"TOB1", Channel::TOB1, {5, 1}},
                                                         {"TOB2", Channel::TOB2, {5, 2}}}};

// A channel of hits from its number in an event file; none for tracks and calorimeters, and for what is no number.
inline std::optional<Channel> hit_channel_of(std::int64_t code) {
  if (code < 0 || code >= static_cast<std::int64_t>(n_channels))
    return std::nullopt;
  const auto channel = static_cast<Channel>(code);
  if (channel == Channel::TRACK || channel == Channel::ECAL || channel == Channel::HCAL)
    return std::nullopt;
  return channel;
}

// A known layer from CMS's subdetector and layer; none for all others.
inline std::optional<Channel> hit_channel_of(int subdetector, int layer) {
  for (const KnownLayer& known : known_layers)
    if (known.cms == Layer{subdetector, layer})
      return known.channel;
  return std::nullopt;
}

// A channel as a bundle describes it. cms: for layers of hits, where the bundle or known_layers say it.
struct InputChannel {
  std::string name;
  Channel channel = Channel::TRACK;
  Collection collection = Collection::tracks;
  std::optional<Layer> cms;
};

// The channels that a network knows, in the order of their flags.
class InputChannels {
public:
  InputChannels() = default;
  explicit InputChannels(std::vector<InputChannel> rows) : rows_(std::move(rows)) {}

  const std::vector<InputChannel>& rows() const { return rows_; }

  const InputChannel* find(std::string_view name) const {
    for (const InputChannel& row : rows_)
      if (row.name == name)
        return &row;
    return nullptr;
  }

  // The first channel of a collection: the only one, but for hits.
  std::optional<Channel> of(Collection collection) const {
    for (const InputChannel& row : rows_)
      if (row.collection == collection)
        return row.channel;
    return std::nullopt;
  }

  // The channel of hits in CMS's subdetector and layer; none where the network does not know it.
  std::optional<Channel> hit_channel_of(int subdetector, int layer) const {
    for (const InputChannel& row : rows_)
      if (row.collection == Collection::hits && row.cms && *row.cms == Layer{subdetector, layer})
        return row.channel;
    return std::nullopt;
  }

private:
  std::vector<InputChannel> rows_;
};

}  // namespace e2egraph

#endif
