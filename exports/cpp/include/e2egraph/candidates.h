// What the outputs of a particle-flow network mean: the particles of an event. The rules are those of
// e2egraph/data/candidates.py, which keeps those of CMSSW's MLPFProducer.
#ifndef E2EGRAPH_CANDIDATES_H
#define E2EGRAPH_CANDIDATES_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace e2egraph {

// log(E/p) = softplus(energy_excess - mass_offset), and the largest |log| of a ratio of momenta
// (e2egraph.tasks.objectives.nodes).
inline constexpr double mass_offset = 4.0, largest_log_ratio = 10.0;

// A track or cluster: pT [GeV], eta and phi of its own direction (of tracks at the vertex), charge. `muon`: whether the
// muon system saw it, nothing where that is not known.
struct Element {
  double pt = 0, eta = 0, phi = 0;
  int charge = 0;
  bool is_track = false;
  std::optional<bool> muon;
};

// What the network gives for one element: logits of none and particle, of each class; log of pT over the element's,
// eta and phi relative to it, the energy's excess; logit of the pile-up share.
struct NodeOutputs {
  const float *particle, *classes, *momentum, *pileup;
};

// A particle: of `element` (its place in the event), `particle_class` (place among the classes), GeV and radians;
// `probability` that the element is a particle.
struct Candidate {
  std::size_t element = 0, particle_class = 0;
  int charge = 0;
  float pt = 0, eta = 0, phi = 0, energy = 0, pileup = 0, probability = 0;
};

// hard: elements that are more probably a particle than none; soft: all of at least `least_probability`, with pT and
// energy times the probability; count these by 1 - pileup where there are other collisions. Tracks may keep their own
// direction and pT.
struct Decoding {
  bool soft = false;
  double least_probability = 0.01;
  bool track_directions = true, track_momenta = false;
};

class CandidateDecoder {
public:
  // `classes`: names in the network's order, the first for no particle.
  explicit CandidateDecoder(std::vector<std::string> classes, Decoding decoding = {})
      : classes_(std::move(classes)), decoding_(decoding), charged_(place("charged_hadron")),
        neutral_(place("neutral_hadron")), muon_(place("muon")) {}

  const std::vector<std::string>& classes() const { return classes_; }

  // The particle of an element, or nothing.
  std::optional<Candidate> decode(const Element& element, const NodeOutputs& outputs) const {
    const double none = outputs.particle[0], particle = outputs.particle[1];
    const double probability = sigmoid(particle - none);
    const std::size_t first = decoding_.soft ? 1 : 0;
    const float* best = std::max_element(outputs.classes + first, outputs.classes + classes_.size());
    auto found = static_cast<std::size_t>(best - outputs.classes);
    if (decoding_.soft ? probability < decoding_.least_probability : !(particle > none && found > 0))
      return std::nullopt;
    if (!element.is_track && neutral_ && (found == charged_ || found == muon_))
      found = *neutral_;
    if (found == muon_ && charged_ && element.muon && !*element.muon)
      found = *charged_;
    const bool own_direction = element.is_track && decoding_.track_directions;
    const bool own_pt = element.is_track && decoding_.track_momenta;
    const double ratio = own_pt ? 0.0
                                : std::clamp(static_cast<double>(outputs.momentum[0]), -largest_log_ratio,
                                             largest_log_ratio);
    const double pt = element.pt * std::exp(ratio);
    const double eta = element.eta + (own_direction ? 0.0 : static_cast<double>(outputs.momentum[1]));
    const double phi = element.phi + (own_direction ? 0.0 : static_cast<double>(outputs.momentum[2]));
    const double excess = std::min(softplus(static_cast<double>(outputs.momentum[3]) - mass_offset), largest_log_ratio);
    const double weight = decoding_.soft ? probability : 1.0;
    Candidate candidate;
    candidate.particle_class = found;
    candidate.charge = element.is_track ? element.charge : 0;
    candidate.pt = static_cast<float>(pt * weight);
    candidate.eta = static_cast<float>(eta);
    candidate.phi = static_cast<float>(wrapped(phi));
    candidate.energy = static_cast<float>(pt * std::cosh(eta) * std::exp(excess) * weight);
    candidate.pileup = static_cast<float>(sigmoid(static_cast<double>(outputs.pileup[0])));
    candidate.probability = static_cast<float>(probability);
    return candidate;
  }

private:
  std::optional<std::size_t> place(const std::string& name) const {
    const auto found = std::find(classes_.begin(), classes_.end(), name);
    if (found == classes_.end())
      return std::nullopt;
    return static_cast<std::size_t>(found - classes_.begin());
  }

  static double sigmoid(double x) { return 0.5 * (1.0 + std::tanh(0.5 * x)); }

  // log(1 + e^x) without overflow.
  static double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

  // phi in [-pi, pi).
  static double wrapped(double phi) {
    constexpr double half_turn = 3.14159265358979323846;
    const double turned = std::fmod(phi + half_turn, 2.0 * half_turn);
    return (turned < 0.0 ? turned + 2.0 * half_turn : turned) - half_turn;
  }

  std::vector<std::string> classes_;
  Decoding decoding_;
  std::optional<std::size_t> charged_, neutral_, muon_;
};

}  // namespace e2egraph

#endif
