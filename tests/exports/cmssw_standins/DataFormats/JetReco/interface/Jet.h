#pragma once

namespace reco {
class Jet {
public:
  Jet(double pt, double eta, double phi, double mass) : pt_(pt), eta_(eta), phi_(phi), mass_(mass) {}
  virtual ~Jet() = default;
  double pt() const { return pt_; }
  double eta() const { return eta_; }
  double phi() const { return phi_; }
  double mass() const { return mass_; }

private:
  double pt_, eta_, phi_, mass_;
};
}  // namespace reco
