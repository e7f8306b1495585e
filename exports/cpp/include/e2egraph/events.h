// What the detector saw in one event. GeV, cm, radians, ns. Callers fill these structs; everything else reads them.
#ifndef E2EGRAPH_EVENTS_H
#define E2EGRAPH_EVENTS_H

#include <cstdint>
#include <string>
#include <vector>

#include "e2egraph/channels.h"

namespace e2egraph {

// eta, phi: at the ECAL surface; d0, dz: to the primary vertex; *_sig: over their uncertainty (see significance()).
struct Track {
  float pt = 0, eta = 0, phi = 0, d0 = 0, dz = 0, d0_sig = 0, dz_sig = 0, charge = 0;
};

// Relative to the primary vertex.
struct Hit {
  Channel channel = Channel::BPIX1;
  float x = 0, y = 0, z = 0;
};

// Row 0–279 and column 0–359 of the crystal image: see cms_indices.h for CMS's own numbers.
struct Crystal {
  int ieta = 0, iphi = 0;
  float energy = 0, time = 0;
};

// Row 0–55 and column 0–71 of the tower image; one entry a tower, its depths summed.
struct Tower {
  int ieta = 0, iphi = 0;
  float energy = 0;
};

// The seed is a tower's row and column; −1 for both: it is found among the event's towers. index: of the jet in its
// event; label: its true class, −1 where unknown; both are only passed on.
//
// For a tagger of clusters the seed is a crystal's row and column; pt (E_T), eta, phi and what follows label are worked
// out from the crystals (clusters.h). For a tagger of whole events there is none, or one with index and label alone.
struct JetAxis {
  float pt = 0, eta = 0, phi = 0, mass = 0, softdrop_mass = 0, tau21 = 0, tau32 = 0;
  int seed_ieta = -1, seed_iphi = -1;
  int index = 0, label = -1;
  float cluster_energy = 0, r9 = 0, eta_width = 0, phi_width = 0;
};

// The primary vertex [cm], from the detector's centre. Clusters are seen from it; nothing else needs it.
struct Vertex {
  float x = 0, y = 0, z = 0;
};

struct Event {
  std::uint32_t run = 0, lumi = 0;
  std::uint64_t event = 0;
  std::uint32_t n_pv = 0;
  Vertex pv;
  std::vector<Track> tracks;
  std::vector<Hit> hits;
  std::vector<Crystal> ecal;
  std::vector<Tower> hcal;
  std::vector<JetAxis> jets;
};

// value / error as float32, 0 where the error is not positive: how Track's significances are made.
inline float significance(float value, float error) { return error > 0 ? value / error : 0.0F; }

// "run:lumi:event", as it stands in messages.
inline std::string name_of(const Event& event) {
  return std::to_string(event.run) + ":" + std::to_string(event.lumi) + ":" + std::to_string(event.event);
}

}  // namespace e2egraph

#endif
