#pragma once
#include <cmath>

#include "DataFormats/Math/interface/Point3D.h"
#include "DataFormats/TrackReco/interface/TrackFwd.h"

namespace reco {
class TrackBase {
public:
  enum TrackQuality { loose = 0, highPurity = 2 };
};

class Track : public TrackBase {
public:
  Track(double pt, double eta, double phi, int charge, const math::XYZPoint& vertex, TrackQuality best)
      : pt_(pt), eta_(eta), phi_(phi), charge_(charge), vertex_(vertex), best_(best) {}
  double pt() const { return pt_; }
  double eta() const { return eta_; }
  double phi() const { return phi_; }
  int charge() const { return charge_; }
  bool quality(TrackQuality asked) const { return best_ >= asked; }
  double dxyError() const { return 0.02; }
  double dzError() const { return 0.03; }
  double dxy(const math::XYZPoint& point) const {
    return -(vertex_.x() - point.x()) * std::sin(phi_) + (vertex_.y() - point.y()) * std::cos(phi_);
  }
  double dz(const math::XYZPoint& point) const {
    return vertex_.z() - point.z() -
           ((vertex_.x() - point.x()) * std::cos(phi_) + (vertex_.y() - point.y()) * std::sin(phi_)) * std::sinh(eta_);
  }

private:
  double pt_, eta_, phi_;
  int charge_;
  math::XYZPoint vertex_;
  TrackQuality best_;
};
}  // namespace reco
