// How the deposits of the files that a network was trained on were read, where files of one kind can differ.
#ifndef E2EGRAPH_READING_H
#define E2EGRAPH_READING_H

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "e2egraph/json.h"

namespace e2egraph {

// Where eta and phi of a track were taken: of the point where it meets the ECAL's surface, of its momentum there, or of
// its momentum at the vertex.
enum class TrackDirection { ecal_point, ecal_momentum, vertex };

inline constexpr std::array<std::pair<std::string_view, TrackDirection>, 3> track_directions{
    {{"ecal_point", TrackDirection::ecal_point},
     {"ecal_momentum", TrackDirection::ecal_momentum},
     {"vertex", TrackDirection::vertex}}};

inline std::optional<TrackDirection> track_direction_of(std::string_view name) {
  for (const auto& [known, direction] : track_directions)
    if (known == name)
      return direction;
  return std::nullopt;
}

inline std::string name_of(TrackDirection direction) {
  for (const auto& [known, same] : track_directions)
    if (same == direction)
      return std::string(known);
  return {};
}

// Depths of a tower: CMS counts them from 1.
inline constexpr int deepest = 7;

// seed_depth: the HCAL depth whose energies compete for a jet's seed; 0: those of towers summed over depths. Nothing
// where the bundle does not say.
struct Reading {
  std::optional<TrackDirection> track_direction;
  std::optional<int> seed_depth;
};

namespace detail {

inline Reading read_reading(const JsonValue& info) {
  Reading reading;
  if (info.is_set("track_direction")) {
    reading.track_direction = track_direction_of(info.at("track_direction").string());
    if (!reading.track_direction)
      info.at("track_direction").wrong("ecal_point, ecal_momentum or vertex");
  }
  if (info.is_set("seed_depth"))
    reading.seed_depth = info.at("seed_depth").integer(0, deepest);
  return reading;
}

}  // namespace detail

}  // namespace e2egraph

#endif
