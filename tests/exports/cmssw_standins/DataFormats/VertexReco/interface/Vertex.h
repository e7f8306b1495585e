#pragma once
#include "DataFormats/Math/interface/Point3D.h"
#include "DataFormats/VertexReco/interface/VertexFwd.h"

namespace reco {
class Vertex {
public:
  Vertex() = default;
  Vertex(const math::XYZPoint& position, const math::XYZPoint& errors) : position_(position), errors_(errors) {}
  const math::XYZPoint& position() const { return position_; }
  double x() const { return position_.x(); }
  double y() const { return position_.y(); }
  double z() const { return position_.z(); }
  double xError() const { return errors_.x(); }
  double yError() const { return errors_.y(); }
  double zError() const { return errors_.z(); }

private:
  math::XYZPoint position_, errors_;
};
}  // namespace reco
