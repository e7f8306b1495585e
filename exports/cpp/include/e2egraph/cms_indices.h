// CMS's detector numbers (EBDetId, HcalDetId) -> rows and columns of the images that this library counts in.
#ifndef E2EGRAPH_CMS_INDICES_H
#define E2EGRAPH_CMS_INDICES_H

#include "e2egraph/geometry.h"

namespace e2egraph {

// EBDetId::ieta() -85 … -1, 1 … 85 -> row 55 … 224.
constexpr int crystal_row(int ieta) { return ieta < 0 ? ieta + ecal_rows / 2 : ieta + ecal_rows / 2 - 1; }

// EBDetId::iphi() 1 … 360 -> column 0 … 359.
constexpr int crystal_column(int iphi) { return iphi - 1; }

// HcalDetId::ieta() -28 … -1, 1 … 28 -> row 0 … 55.
constexpr int tower_row(int ieta) { return ieta < 0 ? ieta + hcal_rows / 2 : ieta + hcal_rows / 2 - 1; }

// HcalDetId::iphi() 1 … 72 -> column: HBHE's iphi 1 begins at 0 degrees, column 0 at -10, two towers earlier.
constexpr int tower_column(int iphi) { return static_cast<int>(modulo(iphi - 1 + 2, hcal_columns)); }

}  // namespace e2egraph

#endif
