// CMS barrel geometry: crystal and tower pitch, and the (eta, phi) <-> (row, column) maps of the ntuples.
//
// Mirrors e2egraph/detector/geometry.py operation by operation in float64, so that both give the same bits. Compile
// with -ffp-contract=off: a fused multiply-add rounds once where NumPy rounds twice.
#ifndef E2EGRAPH_GEOMETRY_H
#define E2EGRAPH_GEOMETRY_H

#include <cmath>
#include <cstdint>
#include <limits>

namespace e2egraph {

inline constexpr double pi = 3.141592653589793238462643383279502884;

// CMS ECAL TDR (CERN/LHCC 97-33), section 1.5: barrel crystals are 0.0174 x 0.0174, 360 of them in phi.
inline constexpr double eta_pitch = 0.0174;
inline constexpr double phi_pitch = 2.0 * pi / 360.0;
inline constexpr int ecal_rows = 280, ecal_columns = 360;
inline constexpr int barrel_first_row = 55, barrel_rows = 170;

// CMS HCAL TDR (CERN/LHCC 97-31), section 1.3: a tower covers 5 x 5 crystals.
inline constexpr int crystals_per_tower = 5;
inline constexpr int hcal_rows = 56, hcal_columns = 72;

// ECAL barrel column 0 starts at -10 degrees (MLAnalyzer).
inline constexpr double first_column_degrees = -10.0;

// CMS, JINST 3 (2008) S08004: front face of the ECAL barrel (section 4.1) and of the HCAL barrel (5.1), in cm.
inline constexpr float ecal_radius = 129.0F, hcal_radius = 177.7F;

// Remainder with the sign of the divisor, as Python's %.
constexpr std::int64_t modulo(std::int64_t a, std::int64_t b) { return ((a % b) + b) % b; }

// A floored number as integer; beyond int64 what x86 (and so NumPy) makes of it, without undefined behaviour.
inline std::int64_t to_integer(double x) {
  return std::abs(x) < 9.2e18 ? static_cast<std::int64_t>(x) : std::numeric_limits<std::int64_t>::min();
}

// Angles [rad] into [-pi, pi).
inline double wrap_phi(double phi) {
  double remainder = phi + pi;
  // What fmod leaves as it is, nearly always, need not wait for it.
  if (!(remainder >= 0 && remainder < 2.0 * pi))
    remainder = std::fmod(remainder, 2.0 * pi);
  if (remainder < 0)
    remainder += 2.0 * pi;
  const double wrapped = remainder - pi;
  return wrapped >= pi ? -pi : wrapped;
}

// Steps of phi a turn in which nodes of whole events lie.
inline constexpr int phi_steps = 4096 * 315;

// phi [rad] moved by one step at most, to an odd one.
inline double between_phi_steps(double phi) {
  const double step = 2.0 * pi / phi_steps;
  return (2.0 * std::floor(wrap_phi(phi) / (2.0 * step)) + 1.0) * step;
}

inline double delta_phi(double phi, double reference) { return wrap_phi(phi - reference); }

// Row of the crystal image; below 0 or above 279 outside the image, and never beyond a million either way.
inline int ecal_row(double eta) {
  const double row = std::floor(eta / eta_pitch);
  return (row > -1e6 && row < 1e6 ? static_cast<int>(row) : 1'000'000) + ecal_rows / 2;
}

// Column 0–359 of the crystal image: column e covers [e - 10, e - 9) degrees.
inline int ecal_column(double phi) {
  const double degrees = phi * (180.0 / pi);
  return static_cast<int>(modulo(to_integer(std::floor(degrees - first_column_degrees)), ecal_columns));
}

// eta of the centre of a crystal row; fractional rows allowed.
inline double ecal_eta(double row) { return (row - ecal_rows / 2.0 + 0.5) * eta_pitch; }

// phi [rad] of the centre of a crystal column, in [-pi, pi).
inline double ecal_phi(double column) { return wrap_phi((column + first_column_degrees + 0.5) * (pi / 180.0)); }

inline int hcal_row(double eta) {
  const int row = ecal_row(eta);
  return static_cast<int>((row - modulo(row, crystals_per_tower)) / crystals_per_tower);
}

inline int hcal_column(double phi) { return ecal_column(phi) / crystals_per_tower; }

// Row (or column) of the crystal in the middle of a tower row (or column).
constexpr int centre_crystal(int tower) { return tower * crystals_per_tower + crystals_per_tower / 2; }

// CMS tower index -28 … -1, 1 … 28 of a tower row 0 … 55.
constexpr int signed_tower_ieta(int row) { return row < hcal_rows / 2 ? row - hcal_rows / 2 : row - hcal_rows / 2 + 1; }

}  // namespace e2egraph

#endif
