#pragma once

class HcalDetId {
public:
  HcalDetId(int ieta, int iphi, int depth) : ieta_(ieta), iphi_(iphi), depth_(depth) {}
  int ietaAbs() const { return ieta_ < 0 ? -ieta_ : ieta_; }
  int zside() const { return ieta_ < 0 ? -1 : 1; }
  int iphi() const { return iphi_; }
  int depth() const { return depth_; }

private:
  int ieta_, iphi_, depth_;
};
