#pragma once
#include <cmath>

#include "DataFormats/GeometryVector/interface/GlobalVector.h"
#include "DataFormats/Math/interface/Point3D.h"
#include "DataFormats/TrackReco/interface/Track.h"
#include "MagneticField/Engine/interface/MagneticField.h"

namespace spr {
struct propagatedTrack {
  bool ok;
  math::XYZPoint point;
  GlobalVector direction;
};

// Bends by 0.1 rad on the way and by 0.2 in direction; does not arrive below 0.6 GeV.
inline propagatedTrack propagateTrackToECAL(const reco::Track* track, const MagneticField*, bool = false) {
  const double phi = track->phi(), z = std::sinh(track->eta());
  return {track->pt() >= 0.6, math::XYZPoint(std::cos(phi + 0.1), std::sin(phi + 0.1), z),
          GlobalVector(static_cast<float>(std::cos(phi + 0.2)), static_cast<float>(std::sin(phi + 0.2)),
                       static_cast<float>(z))};
}
}  // namespace spr
