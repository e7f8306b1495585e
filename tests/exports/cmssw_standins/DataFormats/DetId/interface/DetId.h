#pragma once
#include <cstdint>

class DetId {
public:
  explicit DetId(std::uint32_t id) : id_(id) {}
  std::uint32_t rawId() const { return id_; }
  int subdetId() const { return static_cast<int>(id_ >> 25 & 7U); }

protected:
  std::uint32_t id_;
};
