#pragma once
#include <vector>

namespace reco {
class Vertex;
using VertexCollection = std::vector<Vertex>;
}  // namespace reco
