// Rows that the crystal image gives to the ECAL endcaps, below and above the barrel's 55 … 224.
#ifndef E2EGraph_Tagger_EndcapRows_h
#define E2EGraph_Tagger_EndcapRows_h

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "e2egraph/geometry.h"

namespace e2egraph::cmssw {

// |eta| where the HCAL endcap's towers 18 … 28 begin, and where the last ends (CMS HCAL TDR, CERN/LHCC 97-31;
// MLAnalyzer, RecHitAnalyzer.h, eta_bins_HBHE).
inline constexpr std::array<double, 12> endcap_tower_edges{
    {1.479, 1.566, 1.653, 1.740, 1.830, 1.930, 2.043, 2.172, 2.322, 2.500, 2.650, 3.000}};

// As MLAnalyzer's ECAL_energy: five rows of equal width in eta a tower, EE+ from row 225 up, EE- from row 54 down. None
// outside 1.479 <= |eta| < 3.
inline std::optional<int> endcap_row(double eta) {
  constexpr int first = 225;
  const double abs_eta = std::abs(eta);
  const auto above = std::upper_bound(endcap_tower_edges.begin(), endcap_tower_edges.end(), abs_eta);
  if (above == endcap_tower_edges.begin() || above == endcap_tower_edges.end() || !std::isfinite(eta))
    return std::nullopt;
  const double low = *(above - 1), width = (*above - low) / crystals_per_tower;
  const int slice = std::min(static_cast<int>((abs_eta - low) / width), crystals_per_tower - 1);
  const int row = first + static_cast<int>(above - 1 - endcap_tower_edges.begin()) * crystals_per_tower + slice;
  return eta > 0 ? row : ecal_rows - 1 - row;
}

}  // namespace e2egraph::cmssw

#endif
