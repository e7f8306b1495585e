#pragma once
#include <vector>

namespace reco {
class Track;
using TrackCollection = std::vector<Track>;
}  // namespace reco
